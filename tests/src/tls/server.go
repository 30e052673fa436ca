// Answers each request with CARD and says where it listens: server CERTIFICATE KEY.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/", func(to http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(to, "card %s\n", os.Getenv("CARD"))
	})
	fmt.Println(listener.Addr())
	panic(http.ServeTLS(listener, nil, os.Args[1], os.Args[2]))
}
