package deviceprobe

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema/devices"
)

// playVariable is an environment variable that makes the test program play a QEMU. When that is asked for the
// properties of "bad", it ends, or, if the variable's value is an address, it connects there and does not answer.
const playVariable = "QAPI_TEST_PLAY_QEMU"

func TestMain(m *testing.M) {
	if how := os.Getenv(playVariable); how != "" {
		play(how)
		return
	}
	os.Exit(m.Run())
}

// What the played QEMU answers.
var answers = map[string]string{
	"qmp_capabilities": `{}`,
	"query-version":    `{"qemu":{"major":1,"minor":2,"micro":3},"package":""}`,
	"query-target":     `{"arch":"x86_64"}`,
	"qom-list-types": `[{"name":"device","abstract":true,"parent":"object"},{"name":"pci-device","abstract":true,"parent":"device"},
		{"name":"cpu","abstract":true,"parent":"device"},{"name":"a-cpu","parent":"cpu"},{"name":"max-cpu","parent":"cpu"},
		{"name":"bad","parent":"pci-device"},{"name":"nic","parent":"pci-device"},{"name":"refused","parent":"pci-device"},
		{"name":"soc","parent":"device"},{"name":"unlisted","parent":"device"},{"name":"unused","abstract":true,"parent":"device"}]`,
	"human-monitor-command": `"Network devices:\r\nname \"nic\", bus PCI, alias \"n\", desc \"a, no-user, \\\"nice\\\" one\"\r\nname \"bad\", bus PCI\r\n` +
		`name \"refused\", bus PCI\r\n\r\nCPU devices:\r\nname \"a-cpu\"\r\nname \"max-cpu\"\r\n\r\nMisc devices:\r\nname \"soc\", bus System, desc \"x\", no-user\r\n"`,
	"nic": `[{"name":"mac","type":"str","description":"Ethernet 6-byte MAC Address, example: x"},
		{"name":"addr","type":"int32","description":"Slot and optional function number","default-value":-1},
		{"name":"text","type":"str","default-value":"Somebody wrote this text."},{"name":"mode","type":"Mode","default-value":"auto"},
		{"name":"bus-number","type":"busnr"},{"name":"ram[0]","type":"child<memory-region>"},{"name":"irq[0]","type":"link<irq>"}]`,
	"max-cpu": `[{"name":"sve","type":"bool","default-value":false}]`,
}

func play(how string) {
	fmt.Println(`{"QMP":{"version":{"qemu":{"major":1,"minor":2,"micro":3},"package":""},"capabilities":[]}}`)
	dec := json.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var request struct {
			Execute   string
			ID        json.RawMessage
			Arguments struct{ Typename string }
		}
		if dec.Decode(&request) != nil {
			return
		}
		name := request.Execute
		if name == "device-list-properties" {
			name = request.Arguments.Typename
		}
		id := ""
		if len(request.ID) > 0 {
			id = `,"id":` + string(request.ID)
		}
		answer, known := answers[name]
		switch {
		case known:
			fmt.Printf("{\"return\":%s%s}\n", strings.ReplaceAll(answer, "\n", ""), id)
		case name == "refused":
			fmt.Printf("{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"}%s}\n", id)
		case how != "end":
			if _, err := net.Dial("tcp", how); err != nil {
				panic(err)
			}
			_, _ = io.Copy(io.Discard, dec.Buffered())
			_, _ = io.Copy(io.Discard, os.Stdin)
			return
		default:
			fmt.Fprintln(os.Stderr, "asked for "+name)
			os.Exit(1)
		}
	}
}

const wantPlayed = `# What QEMU says of its devices, facts only, written by goqapi. Do not edit.
release 1.2
binary x86_64 1.2.3

device abstract

cpu < device abstract category=CPU
	sve bool =false

a-cpu < cpu
max-cpu < cpu
pci-device < device abstract bus=PCI category=Network
bad < pci-device unasked=x86_64

nic < pci-device alias=n
	addr int32/pci-address =-1
	bus-number busnr read-only
	mac str/mac
	mode Mode ="auto"
	text str

refused < pci-device unasked=x86_64
soc < device no-user bus=System
unlisted < device no-user
`

func TestAsk(t *testing.T) {
	t.Setenv(playVariable, "end")
	l, report, err := Ask(t.Context(), os.Args[0])
	require.NoError(t, err)
	require.Equal(t, wantPlayed, string(l.Format()))
	require.Equal(t, 7, report.Devices)
	require.Equal(t, 8, report.Properties)
	require.Len(t, report.LeftOut, 2)
	require.Equal(t, "bad", report.LeftOut[0].Device)
	require.Contains(t, report.LeftOut[0].Reason, "asked for bad")
	require.Equal(t, "refused", report.LeftOut[1].Device)
}

func TestAskCancelled(t *testing.T) {
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer l.Close()
	t.Setenv(playVariable, l.Addr().String())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = l.Accept() // it has been asked
		cancel()
	}()
	_, _, err = Ask(ctx, os.Args[0])
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "for its devices: ")
}

func TestAskWithoutProgram(t *testing.T) {
	_, _, err := Ask(t.Context(), "/no/such/qemu")
	require.ErrorContains(t, err, "ask /no/such/qemu for its devices: qmp: start qemu: ")
}

func TestRead(t *testing.T) {
	for _, c := range []struct{ text, err string }{
		{"", "x:1: it does not name a version and a target"},
		{"{}\n", "x:1: it does not name a version and a target"},
		{"{", "x:1: unexpected end of JSON input"},
		{`{"version":"1.2.3","target":"t"}` + "\n[]\n", "x:2: json: cannot unmarshal array"},
	} {
		_, _, err := Read("x", strings.NewReader(c.text))
		require.ErrorContains(t, err, c.err, "%q", c.text)
	}
	l, _, err := Read("x", strings.NewReader(`{"version":"1.2.3","target":"t"}`+"\n"+`{"name":"nic","parents":["pci-device","device","object"],"bus":"PCI"}`))
	require.NoError(t, err)
	require.Equal(t, &devices.Type{Name: "nic", Parent: "pci-device", Bus: "PCI"}, l.Type("nic"))
}
