package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/goqapi/goqapi/qmp"
)

const scope = "github.com/goqapi/goqapi/examples/otel"

// Watch returns an option that records a span for each call, as a child of the span in the caller's
// context, and adds its time to a histogram.
func Watch(tp trace.TracerProvider, mp metric.MeterProvider) (qmp.Option, error) {
	tracer := tp.Tracer(scope)
	took, err := mp.Meter(scope).Float64Histogram("qmp.client.duration",
		metric.WithUnit("s"), metric.WithDescription("How long QMP commands take."))
	if err != nil {
		return nil, err
	}
	call := func(ctx context.Context, command string) func(qmp.CallInfo) {
		ctx, span := tracer.Start(ctx, "qmp "+command, trace.WithSpanKind(trace.SpanKindClient))
		return func(c qmp.CallInfo) {
			attrs := []attribute.KeyValue{attribute.String("rpc.system", "qmp"), attribute.String("rpc.method", c.Command)}
			if c.Err != nil {
				attrs = append(attrs, attribute.String("error.type", errorType(c.Err)))
				span.RecordError(c.Err)
				span.SetStatus(codes.Error, c.Err.Error())
			}
			span.SetAttributes(attrs...)
			span.SetAttributes(
				attribute.Int("rpc.request.size", c.RequestSize), attribute.Int("rpc.response.size", c.ReplySize))
			span.End(trace.WithTimestamp(c.End))
			took.Record(ctx, c.End.Sub(c.Start).Seconds(), metric.WithAttributes(attrs...))
		}
	}
	return qmp.WithTrace(qmp.Trace{Call: call}), nil
}

// errorType returns the kind of a failure. There are only a few, since metrics need few values.
func errorType(err error) string {
	refused, ok := errors.AsType[*qmp.Error](err)
	switch {
	case ok:
		return refused.Class
	case errors.Is(err, qmp.ErrClosed):
		return "closed"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "other"
}
