package qapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/codec"
)

// answering is a connection to a server that gives the same reply to whatever
// it reads, and allocates nothing for it.
func answering(b *testing.B, reply string) *qapi.Client {
	b.Helper()
	client, server := net.Pipe()
	go func() {
		out := []byte(reply + "\r\n")
		buf := make([]byte, 64<<10)
		_, _ = io.WriteString(server, `{"QMP": {"version": {"qemu": {"micro": 0, "minor": 1, "major": 11}, "package": ""}, "capabilities": []}}`+"\r\n")
		for first := true; ; first = false {
			if _, err := server.Read(buf); err != nil {
				return
			}
			text := out
			if first {
				text = []byte("{\"return\": {}}\r\n")
			}
			if _, err := server.Write(text); err != nil {
				return
			}
		}
	}()
	conn, err := qmp.NewConn(b.Context(), client)
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

// BenchmarkCall counts what a typed call allocates.
func BenchmarkCall(b *testing.B) {
	b.Run("query-status", func(b *testing.B) {
		c := answering(b, `{"return": {"running": true, "status": "running"}}`)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.QueryStatus(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("device_del", func(b *testing.B) {
		c := answering(b, `{"return": {}}`)
		b.ReportAllocs()
		for b.Loop() {
			if err := c.DeviceDel(b.Context(), qapi.DeviceDelArgs{ID: "nic0"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("blockdev-add qcow2 over file", func(b *testing.B) {
		c := answering(b, `{"return": {}}`)
		b.ReportAllocs()
		for b.Loop() {
			if err := c.BlockdevAdd(b.Context(), qapi.BlockdevOptions{
				NodeName: new("disk0"),
				Driver: qapi.BlockdevOptionsQcow2{
					File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "vm.qcow2"}},
				},
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDecode decodes big replies, beside what people do without bindings:
// json.Decoder and structs of their own.
func BenchmarkDecode(b *testing.B) {
	b.Run("query-qmp-schema", func(b *testing.B) {
		var reply struct{ Return json.RawMessage }
		text := wiretest.ReadData(b, "captures", "10.0", "query-qmp-schema.json")
		require.NoError(b, json.Unmarshal([]byte(text), &reply))
		benchmarkDecode[[]qapi.SchemaInfo, []schemaEntry](b, reply.Return)
	})
	b.Run("query-named-block-nodes", func(b *testing.B) {
		text, err := json.Marshal(manyNodes(500))
		require.NoError(b, err)
		benchmarkDecode[[]qapi.BlockDeviceInfo, []blockNode](b, text)
	})
}

func benchmarkDecode[T, Plain any](b *testing.B, text []byte) {
	b.Run("typed", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var x T
			if err := codec.Unmarshal(text, &x); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json.Decoder", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var x Plain
			if err := json.NewDecoder(bufio.NewReader(bytes.NewReader(text))).Decode(&x); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// manyNodes are as many null-co nodes as QEMU 11.1 describes them.
func manyNodes(n int) []qapi.BlockDeviceInfo {
	nodes := make([]qapi.BlockDeviceInfo, n)
	for i := range nodes {
		file := `json:{"driver": "null-co", "size": 1073741824}`
		nodes[i] = qapi.BlockDeviceInfo{
			File: file, NodeName: "node499", Drv: "null-co", DetectZeroes: qapi.BlockdevDetectZeroesOptionsOff,
			Image: qapi.ImageInfo{
				Filename: file, Format: "null-co", VirtualSize: 1 << 30, ActualSize: new(int64(0)),
				Limits: &qapi.BlockLimitsInfo{RequestAlignment: 1, MinMemAlignment: 512, OptMemAlignment: 4096, MaxIov: 1024},
			},
			Cache: qapi.BlockdevCacheInfo{Writeback: true}, Children: []qapi.BlockdevChild{},
		}
	}
	return nodes
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
		Limits      struct {
			RequestAlignment uint32 `json:"request-alignment"`
			MinMemAlignment  uint64 `json:"min-mem-alignment"`
			OptMemAlignment  uint64 `json:"opt-mem-alignment"`
			MaxIov           int64  `json:"max-iov"`
		} `json:"limits"`
	} `json:"image"`
	Cache struct {
		Writeback bool `json:"writeback"`
		Direct    bool `json:"direct"`
		NoFlush   bool `json:"no-flush"`
	} `json:"cache"`
	WriteThreshold uint64            `json:"write_threshold"`
	Active         *bool             `json:"active"`
	Children       []json.RawMessage `json:"children"`
}
