//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi"
)

// BenchmarkDecode reads big replies from the socket into their types, and compares this with
// programs that have no bindings: json.Decoder and structs of their own.
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
		nodes := bytes.Trim(captured(b, "query/query-named-block-nodes.json"), "[]") // 5 of them
		text := slices.Concat([]byte("["), bytes.Repeat(append(nodes, ", "...), 99), nodes, []byte("]"))
		compareDecoding[[]blockNode](b, text, func(ctx context.Context, c *qapi.Client) error {
			nodes, err := c.QueryNamedBlockNodes(ctx)
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

// compareDecoding compares call with decoding into Plain, which is a slice.
func compareDecoding[Plain ~[]E, E any](b *testing.B, reply []byte, call func(context.Context, *qapi.Client) error) {
	path := socketPath(b)
	l, err := net.Listen("unix", path)
	require.NoError(b, err)
	defer l.Close()
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			go wiretest.Answer(conn, fmt.Appendf(nil, "{\"return\": %s}\r\n", reply))
		}
	}()
	client, err := qapi.Dial(b.Context(), "unix:"+path)
	require.NoError(b, err)
	defer client.Close()
	conn, err := net.Dial("unix", path)
	require.NoError(b, err)
	defer conn.Close()
	negotiate(b, conn)
	decoder := json.NewDecoder(conn)
	compare(b, 1, []side{
		calls(b, "typed", 1, func() error { return call(b.Context(), client) }),
		calls(b, "json.Decoder", 1, func() error {
			if _, err := io.WriteString(conn, statusRequest); err != nil {
				return err
			}
			var reply struct {
				Return Plain `json:"return"`
			}
			err := decoder.Decode(&reply)
			return wantMany(len(reply.Return), err)
		}),
	}, "json.Decoder/typed")
}

// schemaEntry is what people write by hand for the entries of a
// query-qmp-schema reply.
type schemaEntry struct {
	Name     string   `json:"name"`
	MetaType string   `json:"meta-type"`
	Features []string `json:"features,omitempty"`
	JSONType string   `json:"json-type,omitempty"`
	Members  []struct {
		Name     string          `json:"name"`
		Type     string          `json:"type"`
		Default  json.RawMessage `json:"default,omitempty"`
		Features []string        `json:"features,omitempty"`
	} `json:"members,omitempty"`
	Values      []string `json:"values,omitempty"`
	ElementType string   `json:"element-type,omitempty"`
	Tag         string   `json:"tag,omitempty"`
	Variants    []struct {
		Case string `json:"case"`
		Type string `json:"type"`
	} `json:"variants,omitempty"`
	ArgType  string `json:"arg-type,omitempty"`
	RetType  string `json:"ret-type,omitempty"`
	AllowOOB bool   `json:"allow-oob,omitempty"`
}

// blockNode is the same for query-named-block-nodes.
type blockNode struct {
	File             string `json:"file"`
	NodeName         string `json:"node-name"`
	RO               bool   `json:"ro"`
	Drv              string `json:"drv"`
	BackingFileDepth int64  `json:"backing_file_depth"`
	Encrypted        bool   `json:"encrypted"`
	DetectZeroes     string `json:"detect_zeroes"`
	BPS              int64  `json:"bps"`
	BPSRd            int64  `json:"bps_rd"`
	BPSWr            int64  `json:"bps_wr"`
	IOPS             int64  `json:"iops"`
	IOPSRd           int64  `json:"iops_rd"`
	IOPSWr           int64  `json:"iops_wr"`
	Image            struct {
		Filename    string `json:"filename"`
		Format      string `json:"format"`
		VirtualSize int64  `json:"virtual-size"`
		ActualSize  int64  `json:"actual-size"`
		ClusterSize *int64 `json:"cluster-size"`
		DirtyFlag   *bool  `json:"dirty-flag"`
		Specific    *struct {
			Type string   `json:"type"`
			Data struct { // what any type has
				Compat          string `json:"compat"`
				CompressionType string `json:"compression-type"`
				LazyRefcounts   *bool  `json:"lazy-refcounts"`
				RefcountBits    int64  `json:"refcount-bits"`
				Corrupt         *bool  `json:"corrupt"`
				ExtendedL2      *bool  `json:"extended-l2"`
			} `json:"data"`
		} `json:"format-specific"`
	} `json:"image"`
	Cache struct {
		Writeback bool `json:"writeback"`
		Direct    bool `json:"direct"`
		NoFlush   bool `json:"no-flush"`
	} `json:"cache"`
	WriteThreshold uint64 `json:"write_threshold"`
	Active         bool   `json:"active"`
}

// cpuDefinition is the same for query-cpu-definitions.
type cpuDefinition struct {
	Name                string   `json:"name"`
	MigrationSafe       *bool    `json:"migration-safe"`
	Static              bool     `json:"static"`
	UnavailableFeatures []string `json:"unavailable-features"`
	Typename            string   `json:"typename"`
	AliasOf             *string  `json:"alias-of"`
	Deprecated          bool     `json:"deprecated"`
}
