package qmptest_test

import (
	"context"

	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/machine"
)

type zzHost struct{ *qmptest.Server }

func (h zzHost) Stop() {}

func wireMachine(srv *qmptest.Server) {
	for name, h := range machine.New(zzHost{srv}).Commands() {
		if name == "quit" {
			continue
		}
		srv.Handle(name, func(ctx context.Context, req *qmptest.Request) (any, error) { return h(ctx, req) })
	}
}
