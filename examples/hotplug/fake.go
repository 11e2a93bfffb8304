package main

import "github.com/goqapi/goqapi/qmp/qmptest"

// startFake starts a server that plays the part of QEMU in this program.
func startFake() (*server, error) {
	srv := qmptest.New()
	return &server{
		what: "There is no QEMU here (set QEMU=… or put qemu-system-x86_64 on PATH): driving the fake server",
		conn: srv.Pipe(),
		wait: srv.Close,
		kill: func() { srv.Close() },
	}, nil
}
