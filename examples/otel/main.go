// Otel asks a QEMU for its status and prints the spans and the metrics of its calls. It shows how to
// connect the trace hook of package qmp with OpenTelemetry.
//
//	go run . unix:/run/vm/qmp.sock
package main

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/goqapi/goqapi/qapi"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: otel ADDRESS")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "otel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr string) error {
	spans, err := stdouttrace.New()
	if err != nil {
		return err
	}
	figures, err := stdoutmetric.New()
	if err != nil {
		return err
	}
	tp := trace.NewTracerProvider(trace.WithSyncer(spans))
	defer tp.Shutdown(ctx)
	mp := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(figures)))
	defer mp.Shutdown(ctx) // writes them

	watch, err := Watch(tp, mp)
	if err != nil {
		return err
	}
	c, err := qapi.Dial(ctx, addr, watch)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.QueryStatus(ctx)
	return err
}
