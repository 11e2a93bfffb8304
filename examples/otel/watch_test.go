package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

func TestWatch(t *testing.T) {
	spans, reader := tracetest.NewInMemoryExporter(), metric.NewManualReader()
	tp := trace.NewTracerProvider(trace.WithSyncer(spans))
	watch, err := Watch(tp, metric.NewMeterProvider(metric.WithReader(reader)))
	require.NoError(t, err)

	srv := qmptest.Start(t)
	srv.Fail("stop", qmp.ClassGenericError, "not now")
	conn, err := srv.Dial(t.Context(), watch)
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()

	ctx, parent := tp.Tracer("test").Start(t.Context(), "parent")
	_, err = c.QueryVersion(ctx)
	require.NoError(t, err)
	require.Error(t, c.Stop(ctx))
	parent.End()

	got := spans.GetSpans()
	require.Len(t, got, 4)
	assert.Equal(t, "qmp qmp_capabilities", got[0].Name)
	assert.Equal(t, "qmp query-version", got[1].Name)
	assert.Equal(t, parent.SpanContext().SpanID(), got[1].Parent.SpanID())
	assert.Equal(t, "qmp stop", got[2].Name)
	assert.Equal(t, codes.Error, got[2].Status.Code)
	assert.Contains(t, got[2].Attributes, attribute.String("error.type", "GenericError"))

	var metrics metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &metrics))
	histogram := metrics.ScopeMetrics[0].Metrics[0].Data.(metricdata.Histogram[float64])
	assert.Len(t, histogram.DataPoints, 3)
}
