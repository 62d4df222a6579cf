// A client's certificate and key as lib/pq and pgx load them.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

// The same steps as pgx's configTLS.
func pgx(cert, key, password string) error {
	buf, err := os.ReadFile(key)
	if err != nil {
		return fmt.Errorf("unable to read sslkey: %w", err)
	}
	block, _ := pem.Decode(buf)
	if block == nil {
		return fmt.Errorf("failed to decode sslkey")
	}
	var pemKey []byte
	if x509.IsEncryptedPEMBlock(block) {
		if password == "" {
			return fmt.Errorf("unable to find sslpassword")
		}
		decrypted, err := x509.DecryptPEMBlock(block, []byte(password))
		if err != nil {
			return fmt.Errorf("unable to decrypt key: %w", err)
		}
		pemKey = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: decrypted})
	} else {
		pemKey = pem.EncodeToMemory(block)
	}
	certFile, err := os.ReadFile(cert)
	if err != nil {
		return fmt.Errorf("unable to read cert: %w", err)
	}
	if _, err = tls.X509KeyPair(certFile, pemKey); err != nil {
		return fmt.Errorf("unable to load cert: %w", err)
	}
	return nil
}

func main() {
	say := func(driver string, err error) {
		said := "ok"
		if err != nil {
			said = err.Error()
		}
		fmt.Printf("%s\t%s\n", driver, said)
	}
	_, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	say("lib-pq", err)
	say("pgx", pgx(os.Args[1], os.Args[2], os.Args[3]))
}
