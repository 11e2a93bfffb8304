//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi"
)

// BenchmarkDecode reads big replies from the socket to their types, and beside it
// as people do who have no bindings: with json.Decoder and structs of their own.
func BenchmarkDecode(b *testing.B) {
	b.Run("query-qmp-schema", func(b *testing.B) {
		text := captured(b, "query-qmp-schema.json")
		compareDecoding[[]schemaEntry](b, text, func(ctx context.Context, c *qapi.Client) error {
			entries, err := c.QueryQMPSchema(ctx)
			return wantMany(len(entries), err)
		})
	})
	b.Run("query-cpu-definitions", func(b *testing.B) {
		text := captured(b, "query/query-cpu-definitions.json")
		compareDecoding[[]cpuDefinition](b, text, func(ctx context.Context, c *qapi.Client) error {
			models, err := c.QueryCPUDefinitions(ctx)
			return wantMany(len(models), err)
		})
	})
	b.Run("query-named-block-nodes", func(b *testing.B) {
		text, err := jsonv2.Marshal(manyNodes(500), jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true))
		require.NoError(b, err)
		compareDecoding[[]blockNode](b, text, func(ctx context.Context, c *qapi.Client) error {
			nodes, err := c.QueryNamedBlockNodes(ctx, qapi.QueryNamedBlockNodesArgs{})
			return wantMany(len(nodes), err)
		})
	})
}

// captured is what a real server replied.
func captured(b *testing.B, file string) []byte {
	b.Helper()
	var reply struct{ Return json.RawMessage }
	require.NoError(b, json.Unmarshal([]byte(corpus.Read(b, "captures", "10.0", file)), &reply))
	return reply.Return
}

func wantMany(n int, err error) error {
	if err == nil && n < 100 {
		err = fmt.Errorf("a reply of %d", n)
	}
	return err
}

// compareDecoding compares with Plain, which is a slice.
func compareDecoding[Plain ~[]E, E any](b *testing.B, reply []byte, call func(context.Context, *qapi.Client) error) {
	l := listen(b)
	go answer(l, fmt.Appendf(nil, "{\"return\": %s}\r\n", reply))
	client, err := qapi.Dial(b.Context(), "unix:"+l.Addr().String())
	require.NoError(b, err)
	defer client.Close()
	conn, err := net.Dial("unix", l.Addr().String())
	require.NoError(b, err)
	defer conn.Close()
	negotiate(b, conn)
	decoder := json.NewDecoder(conn)

	timed := func(call func() error) func(int) time.Duration {
		return func(n int) time.Duration {
			begin := time.Now()
			for range n {
				if err := call(); err != nil {
					b.Fatal(err)
				}
			}
			return time.Since(begin)
		}
	}
	t := compare(b, 1,
		side{"typed", timed(func() error { return call(b.Context(), client) })},
		side{"json.Decoder", timed(func() error {
			if _, err := io.WriteString(conn, statusRequest); err != nil {
				return err
			}
			var reply struct {
				Return Plain `json:"return"`
			}
			err := decoder.Decode(&reply)
			return wantMany(len(reply.Return), err)
		})},
	)
	b.ReportMetric(t.ratio(1, 0), "json.Decoder/typed")
}

// answer gives each client the same reply to whatever it sends.
func answer(l net.Listener, reply []byte) {
	for {
		conn, err := accept(l)
		if err != nil {
			return // the benchmark has ended
		}
		go func() {
			defer conn.Close()
			request := make([]byte, 64<<10)
			for {
				n, err := conn.Read(request)
				if err != nil {
					return
				}
				if _, err := conn.Write(wiretest.WithID(reply, request[:n])); err != nil {
					return
				}
			}
		}()
	}
}

// manyNodes are qcow2 images and the files that they are in, as QEMU 11.1 describes
// them.
func manyNodes(n int) []qapi.BlockDeviceInfo {
	var nodes []qapi.BlockDeviceInfo
	for i := range n / 2 {
		file := fmt.Sprintf("/var/lib/images/disk%d.qcow2", i)
		disk := qapi.BlockDeviceInfo{
			File: file, NodeName: fmt.Sprint("disk", i), Drv: "qcow2", Active: true,
			DetectZeroes: qapi.BlockdevDetectZeroesOptionsOff,
			Image: qapi.ImageInfo{
				Filename: file, Format: "qcow2", VirtualSize: 1 << 34, ActualSize: new(int64(1 << 32)),
				ClusterSize: new(int64(1 << 16)), DirtyFlag: new(false),
				FormatSpecific: &qapi.ImageInfoSpecific{Type: qapi.ImageInfoSpecificQcow2{
					Compat: "1.1", CompressionType: "zlib", LazyRefcounts: new(false), RefcountBits: 16,
					Corrupt: new(false), ExtendedL2: new(false),
				}},
				Limits: &qapi.BlockLimitsInfo{RequestAlignment: 1, MinMemAlignment: 512, OptMemAlignment: 4096, MaxIov: 1024},
			},
			Cache:    qapi.BlockdevCacheInfo{Writeback: true},
			Children: []qapi.BlockdevChild{{Child: "file", NodeName: fmt.Sprint("file", i)}},
		}
		image := disk
		image.NodeName, image.Drv, image.Children = fmt.Sprint("file", i), "file", []qapi.BlockdevChild{}
		image.Image.Format, image.Image.ClusterSize = "file", nil
		image.Image.FormatSpecific = &qapi.ImageInfoSpecific{Type: qapi.ImageInfoSpecificFile{}}
		nodes = append(nodes, disk, image)
	}
	return nodes
}
