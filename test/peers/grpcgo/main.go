// Program grpcgo is a client and a server of the service that test/integration/test_grpc_interop.py describes, by
// grpc-go as it comes: grpcgo client TARGET plain|tls, grpcgo server HOST [CERTIFICATE KEY].
package main

import (
	"bytes"
	"fmt"
	"os"

	_ "google.golang.org/grpc/encoding/gzip"
)

// raw has bytes for messages, so that no code is generated.
type raw struct{}

func (raw) Name() string                    { return "proto" }
func (raw) Marshal(v any) ([]byte, error)   { return *v.(*[]byte), nil }
func (raw) Unmarshal(d []byte, v any) error { *v.(*[]byte) = bytes.Clone(d); return nil }

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "client":
		err = client(os.Args[2], os.Args[3] == "tls")
	case len(os.Args) >= 3 && os.Args[1] == "server":
		err = server(os.Args[2], os.Args[3:])
	default:
		err = fmt.Errorf("usage: grpcgo client TARGET plain|tls, grpcgo server HOST [CERTIFICATE KEY]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "grpcgo:", err)
		os.Exit(1)
	}
}
