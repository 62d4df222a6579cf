// Connects with lib/pq, and says in one line of JSON what came of it: lib-pq CONNECTION
package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/lib/pq"
)

// Set when it is built: the driver's version.
var version string

type answer struct {
	Connected bool   `json:"connected"`
	Answered  bool   `json:"answered"`
	Error     string `json:"error,omitempty"`
	Code      string `json:"code,omitempty"`
}

func main() {
	if os.Args[1] == "--version" {
		fmt.Printf("%s, %s\n", version, runtime.Version())
		return
	}
	var said answer
	// A panic of the driver is what the application dies of.
	defer func() {
		if panicked := recover(); panicked != nil {
			said.Error = fmt.Sprint("panic: ", panicked)
		}
		line, _ := json.Marshal(said)
		fmt.Println(string(line))
	}()
	if err := run(&said); err != nil {
		said.Error = fmt.Sprintf("%T: %v", err, err)
		var server *pq.Error
		if errors.As(err, &server) {
			said.Code = string(server.Code)
		}
		return
	}
	said.Answered = true
}

func run(said *answer) error {
	db, err := sql.Open("postgres", os.Args[1])
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if err := db.Ping(); err != nil {
		return err
	}
	said.Connected = true
	for n := 0; n < 7; n++ {
		var got int
		if err := db.QueryRow("select $1::int", n).Scan(&got); err != nil {
			return err
		}
	}
	return nil
}
