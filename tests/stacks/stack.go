// Go's crypto/tls, as pgx and lib/pq use it.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"time"
)

func shake(port, host, roots, demand string) error {
	raw, err := net.DialTimeout("tcp", "127.0.0.1:"+port, 10*time.Second)
	if err != nil {
		return err
	}
	defer raw.Close()
	raw.Write([]byte{0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f})
	raw.Read(make([]byte, 1))
	pool := x509.NewCertPool()
	pem, _ := os.ReadFile(roots)
	if demand != "none" && !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("unable to add CA to cert pool")
	}
	config := &tls.Config{InsecureSkipVerify: true}
	if net.ParseIP(host) == nil || demand == "name" {
		config.ServerName = host
	}
	switch demand {
	case "name":
		config.InsecureSkipVerify = false
		config.RootCAs = pool
	case "chain":
		// pgx's own, for verify-ca.
		config.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
			certs := make([]*x509.Certificate, len(raw))
			for i, one := range raw {
				cert, err := x509.ParseCertificate(one)
				if err != nil {
					return fmt.Errorf("failed to parse certificate from server: %w", err)
				}
				certs[i] = cert
			}
			options := x509.VerifyOptions{Roots: pool, Intermediates: x509.NewCertPool()}
			for _, cert := range certs[1:] {
				options.Intermediates.AddCert(cert)
			}
			_, err := certs[0].Verify(options)
			return err
		}
	}
	return tls.Client(raw, config).Handshake()
}

func main() {
	version := strings.Split(strings.TrimPrefix(runtime.Version(), "go"), ".")
	fmt.Println("version go", version[0]+"."+version[1])
	for _, demand := range []string{"none", "chain", "name"} {
		said := "ok"
		if err := shake(os.Args[1], os.Args[2], os.Args[3], demand); err != nil {
			said = err.Error()
		}
		fmt.Printf("go\t%s\t%s\n", demand, strings.ReplaceAll(said, "\n", " "))
	}
}
