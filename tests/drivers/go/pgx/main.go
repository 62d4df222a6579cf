// Connects with pgx, and says in one line of JSON what came of it: pgx CONNECTION
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
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
	defer func() {
		if panicked := recover(); panicked != nil {
			said.Error = fmt.Sprint("panic: ", panicked)
		}
		line, _ := json.Marshal(said)
		fmt.Println(string(line))
	}()
	if err := run(&said); err != nil {
		said.Error = fmt.Sprintf("%T: %v", err, err)
		var server *pgconn.PgError
		if errors.As(err, &server) {
			said.Code = server.Code
		}
		return
	}
	said.Answered = true
}

func run(said *answer) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Args[1])
	if err != nil {
		return err
	}
	said.Connected = true
	for n := 0; n < 7; n++ {
		var got int
		if err := conn.QueryRow(ctx, "select $1::int", n).Scan(&got); err != nil {
			return err
		}
	}
	return nil
}
