package redact

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/growth"
	"github.com/goqapi/goqapi/internal/wirejson"
)

func TestJSON(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"password", `{"protocol":"vnc","password":"hunter2"}`, `{"protocol":"vnc","password":"[redacted]"}`},
		{"secret object", `{"qom-type":"secret","id":"s0","data":"hunter2"}`, `{"qom-type":"secret","id":"s0","data":"[redacted]"}`},
		{"tag after it", `{"data":"hunter2","qom-type":"secret"}`, `{"data":"[redacted]","qom-type":"secret"}`},
		{"other data", `{"type":"inet","data":{"host":"h"}}`, `{"type":"inet","data":{"host":"h"}}`},
		{"property", `{"path":"/objects/s0","property":"data","value":"hunter2"}`, `{"path":"/objects/s0","property":"data","value":"[redacted]"}`},
		{"other property", `{"property":"size","value":1}`, `{"property":"size","value":1}`},
		{"qom-list-get", `[{"properties":[{"name":"data","type":"string","value":"hunter2"},{"name":"loaded","type":"bool","value":true}]}]`,
			`[{"properties":[{"name":"data","type":"string","value":"[redacted]"},{"name":"loaded","type":"bool","value":true}]}]`},
		{"HMP", `{"command-line":"set_password vnc hunter2"}`, `{"command-line":"[redacted]"}`},
		{"harmless HMP", `{"command-line":"info block"}`, `{"command-line":"info block"}`},
		{"almost harmless HMP", `{"command-line":"information hunter2"}`, `{"command-line":"[redacted]"}`},
		{"program", `{"path":"passwd","arg":["-u","hunter2"],"env":["PW=hunter2"],"input-data":"aHVudGVyMg==","capture-output":true}`,
			`{"path":"passwd","arg":["[redacted]","[redacted]"],"env":["[redacted]"],"input-data":"[redacted]","capture-output":true}`},
		{"program's output", `{"exited":true,"out-data":"aHVudGVyMg==","err-data":"aHVudGVyMg=="}`,
			`{"exited":true,"out-data":"[redacted]","err-data":"[redacted]"}`},
		{"file in a guest", `{"handle":1,"buf-b64":"aHVudGVyMg=="}`, `{"handle":1,"buf-b64":"[redacted]"}`},
		{"SSH keys", `{"username":"u","keys":["ssh-rsa hunter2"]}`, `{"username":"u","keys":["[redacted]"]}`},
		{"typed keys", `{"keys":[{"type":"qcode","data":"h"}]}`, `{"keys":[{"type":"[redacted]","data":"[redacted]"}]}`},
		{"typed key", `{"type":"key","data":{"down":true,"key":{"type":"number","data":35}}}`,
			`{"type":"key","data":{"down":true,"key":{"type":"[redacted]","data":"[redacted]"}}}`},
		{"cookie", `{"driver":"https","url":"https://h/x","cookie":"sid=hunter2"}`, `{"driver":"https","url":"https://h/x","cookie":"[redacted]"}`},
		{"flat", `{"file.cookie":"hunter2","file.url":"https://u:hunter2@h/"}`, `{"file.cookie":"[redacted]","file.url":"https://[redacted]@h/"}`},
		{"Rocker's cookie", `{"cookie":17,"hits":1}`, `{"cookie":17,"hits":1}`},
		{"L2TPv3", `{"txcookie":17,"rxcookie":18,"cookie64":true}`, `{"txcookie":"[redacted]","rxcookie":"[redacted]","cookie64":true}`},
		{"migration's command", `{"uri":"exec:ssh hunter2@h"}`, `{"uri":"exec:[redacted]"}`},
		{"migration's arguments", `{"transport":"exec","args":["sh","hunter2"]}`, `{"transport":"exec","args":["[redacted]","[redacted]"]}`},
		{"launch secret", `{"packet-header":"h","secret":"hunter2","gpa":1}`, `{"packet-header":"h","secret":"[redacted]","gpa":1}`},
		{"a secret's id", `{"state":"active","secret":"s0"}`, `{"state":"active","secret":"s0"}`},
		{"json: name", `{"filename":"json:{\"driver\": \"https\", \"cookie\": \"hunter2\"}"}`,
			`{"filename":"json:{\"driver\":\"https\",\"cookie\":\"[redacted]\"}"}`},
		{"json: name in an error", `{"class":"GenericError","desc":"Could not open 'json:{\"file\": {\"url\": \"https://u:hunter2@h/\"}}': no"}`,
			`{"class":"GenericError","desc":"Could not open 'json:{\"file\":{\"url\":\"https://[redacted]@h/\"}}': no"}`},
		{"json: name without a secret", `{"file":"json:{\"driver\": \"raw\"}"}`, `{"file":"json:{\"driver\": \"raw\"}"}`},
		{"deep", `[{"a":{"password":{"x":1,"y":[true,null,"z"]}}}]`, `[{"a":{"password":{"x":"[redacted]","y":["[redacted]",null,"[redacted]"]}}}]`},
		{"one in another", `{"password":{"qom-type":"secret","data":{"password":"a"}},"b":1}`,
			`{"password":{"qom-type":"[redacted]","data":{"password":"[redacted]"}},"b":1}`},
		{"escaped name", `{"p\u0061ssword":"hunter2"}`, `{"p\u0061ssword":"[redacted]"}`},
		{"escaped text", `{"url":"https:\/\/u:hunter2@h\/"}`, `{"url":"https://[redacted]@h/"}`},
		{"reference", `{"key-secret":"s0"}`, `{"key-secret":"s0"}`},
		{"repeated", `{"password":"a","password":"b"}`, `{"password":"[redacted]","password":"[redacted]"}`},
		{"scalar", `"x"`, `"x"`},
		{"number", `-1.50e3`, `-1.50e3`},
		{"spaces", " { \"a\" : [ 1 , { } ] }\n", `{"a":[1,{}]}`},
		{"in 5.2", `{"qom-type":"secret","props":{"data":"hunter2"}}`, `{"qom-type":"secret","props":{"data":"[redacted]"}}`},
		{"change", `{"device":"vnc","target":"password","arg":"hunter2"}`, `{"device":"vnc","target":"password","arg":"[redacted]"}`},
		{"a disc", `{"device":"cd0","target":"x.iso","arg":"raw"}`, `{"device":"cd0","target":"x.iso","arg":"raw"}`},
		{"no value", `{""}`, blot},
		{"broken", `{"password":"hunter2`, blot},
		{"nothing", ``, blot},
		{"empty", `{}`, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, string(JSON([]byte(c.in))))
		})
	}
	assert.Equal(t, `{"data":"[redacted]","x":"https://[redacted]@h"}`, string(JSONAlone([]byte(`{"data":"hunter2","x":"https://u:p@h"}`))))
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"no colon":                "no colon",
		"qmp: guest-exec: denied": "qmp: guest-exec: denied",
		"invalid character '{' in string literal: x":                            "invalid character '{' in string literal: x",
		"json: cannot unmarshal number: {}":                                     "json: cannot unmarshal number: {}",
		"https://u:hunter2@h:443/a@b?x":                                         "https://[redacted]@h:443/a@b?[redacted]",
		"Could not open 'ftp://hunter2@h/x?a=hunter2': no":                      "Could not open 'ftp://[redacted]@h/x?[redacted]': no",
		"iscsi://u%hunter2@h/iqn/0":                                             "iscsi://[redacted]@h/iqn/0",
		"https://u:hun/ter2@h/x":                                                "https://[redacted]@h/x",
		"https://h/a://u:hunter2@h":                                             "https://h/a://[redacted]@h",
		"nbd+unix:///x?socket=/run/n@d":                                         "nbd+unix:///x?socket=/run/n@d",
		"a://b@c and http://d@e":                                                "a://[redacted]@c and http://[redacted]@e",
		"rbd:pool/image:id=admin:key=hunter2==:conf=/x":                         "rbd:pool/image:id=admin:key=[redacted]:conf=/x",
		"exec:cat hunter2":                                                      "exec:[redacted]",
		"exec: cat hunter2":                                                     "exec:[redacted]",
		"unknown protocol: exec:cat hunter2":                                    "unknown protocol: exec:[redacted]",
		`'json:{"password": "hunter2"}' and {"cookie":"hunter2"}.`:              `'json:{"password":"[redacted]"}' and {"cookie":"[redacted]"}.`,
		"qemu: -object secret,id=s0,data=hun,,ter2,format=x: Invalid parameter": "qemu: -object secret,id=s0,data=[redacted],format=x: Invalid parameter",
		"qemu: -spice password=hunter 2: no":                                    "qemu: -spice password=[redacted]: no",
		"a,file.cookie=hunter2\nb,data=hunter2,password=hunter2":                "a,file.cookie=[redacted]\nb,data=[redacted],password=[redacted]",
		"-vnc :0,password=":                                                     "-vnc :0,password=[redacted]",
		"size=3, key-secret=s0":                                                 "size=3, key-secret=s0",
		`'json:{"password": "hunt`:                                              `'json:[redacted]`,
		`json:{ 'password': 'hunter2'}`:                                         `json:[redacted]`,
		`{"n": [1,  2]}: fine`:                                                  `{"n": [1,  2]}: fine`,
	} {
		assert.Equal(t, want, Text(in), in)
	}
}

func TestRequest(t *testing.T) {
	for _, c := range []struct{ name, request, reply, want string }{
		{"qom-get", `{"execute":"qom-get","arguments":{"path":"/objects/s0","property":"data"},"id":1}`,
			`{"return":"hunter2","id":1}`, `{"return":"[redacted]","id":1}`},
		{"qom-get out of band", `{"exec-oob":"qom-get","arguments":{"property":"password"}}`, `{"return":"hunter2"}`, `{"return":"[redacted]"}`},
		{"qom-get of something else", `{"execute":"qom-get","arguments":{"property":"size"}}`, `{"return":1}`, `{"return":1}`},
		{"HMP", `{"execute":"human-monitor-command","arguments":{"command-line":"qom-get /objects/s0 data"}}`,
			`{"return":"\"hunter2\"\r\n"}`, `{"return":"[redacted]"}`},
		{"HMP that quotes", `{"execute":"human-monitor-command","arguments":{"command-line":"set_passwrd vnc hunter2"}}`,
			`{"return":"unknown command: 'set_passwrd vnc hunter2'\r\n"}`, `{"return":"[redacted]"}`},
		{"harmless HMP", `{"execute":"human-monitor-command","arguments":{"command-line":"info block"}}`,
			`{"return":"d0: https://u:hunter2@h/x"}`, `{"return":"d0: https://[redacted]@h/x"}`},
		{"error that quotes", `{"execute":"migrate","arguments":{"password":"hunter2"}}`,
			`{"error":{"class":"GenericError","desc":"'hunter2' is too short"}}`, `{"error":{"class":"GenericError","desc":"'[redacted]' is too short"}}`},
		{"error that quotes a short one", `{"execute":"x","arguments":{"password":"is"}}`,
			`{"error":{"class":"GenericError","desc":"it is too short"}}`, `{"error":{"class":"GenericError","desc":"[redacted]"}}`},
		{"base64", `{"execute":"guest-file-read"}`, `{"return":{"buf-b64":"aHVudGVyMg=="}}`, `{"return":{"buf-b64":"W3JlZGFjdGVkXQ=="}}`},
		{"not a request", `hello`, `{"return":{"return":1}}`, `{"return":{"return":1}}`},
		{"strange", `{"execute":7,"arguments":[]}`, `{"return":1}`, `{"return":1}`},
	} {
		assert.Equal(t, c.want, string(ReadRequest([]byte(c.request)).Message([]byte(c.reply))), c.name)
	}
	r := ReadRequest([]byte(`{"execute":"qom-get","arguments":{"property":"data"}}`))
	assert.Equal(t, `["[redacted]"]`, string(r.Result([]byte(`["hunter2"]`))))
	assert.Equal(t, `{"class":"c","desc":"d"}`, string(r.Error([]byte(`{"class":"c","desc":"d"}`))), "the error is not a secret")
	both := Request{}.Or(r).Or(ReadRequest([]byte(`{"arguments":{"password":"hunter2"}}`)))
	assert.Equal(t, `"[redacted]"`, string(both.Result([]byte(`1`))))
	assert.Equal(t, "no [redacted]: x", both.Text("no hunter2: x"))
	assert.True(t, IsWord("[redacted]") && IsWord("W3JlZGFjdGVkXQ==") && !IsWord(""))
}

func TestCut(t *testing.T) {
	assert.Equal(t, "x", Cut([]byte("x")))
	assert.Equal(t, "a"+strings.Repeat("ü", most/2-1)+"… (131073 bytes)", Cut([]byte("a"+strings.Repeat("ü", most))))
}

// Hiding secrets takes time and memory in proportion to the text, however it nests.
func TestCost(t *testing.T) {
	const size = 1 << 20
	nest := func(open, inside, shut string, levels int) string {
		return strings.Repeat(open, levels) + inside + strings.Repeat(shut, levels)
	}
	for name, text := range map[string]string{
		"1000 levels":            nest(`{"a":[`, `"`+strings.Repeat("x", size)+`"`, `]}`, 500),
		"secrets in secrets":     nest(`{"data":`+strings.Repeat(" ", 80), "1", `,"qom-type":"secret"}`, 9000),
		"many members":           `{"data":1` + strings.Repeat(`,"data":"x","qom-type":"secret"`, size/32) + `}`,
		"objects in a text":      `"` + strings.Repeat(`{\"a\":1}`, size/9) + `"`,
		"half objects in a text": `"x ` + strings.Repeat(`{\"a\":`, size/7) + `"`,
		"braces in a text":       `"` + strings.Repeat(`{`, size) + `"`,
		"URLs":                   `"` + strings.Repeat(`://`, size/3) + `"`,
		"URLs with queries":      `"` + strings.Repeat(`http://a:b@c?`, size/13) + `"`,
		"URLs with passwords":    `"` + strings.Repeat(`http://a:b`, size/10) + `"`,
		"RBD":                    `"` + strings.Repeat(`rbd::key=`, size/9) + `"`,
		"options":                `"` + strings.Repeat(`,data=`, size/6) + `"`,
		"exec":                   `"x` + strings.Repeat(`exec:`, size/5) + `"`,
		"text in text":           quoted(`json:{"a":`, 14),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := growth.ProcessorTime()
			out := JSON([]byte(text))
			took := growth.ProcessorTime() - begin
			runtime.ReadMemStats(&after)
			assert.True(t, jsontext.Value(out).IsValid(jsontext.AllowDuplicateNames(true)))
			assert.NotEqual(t, blot, string(out))
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d bytes: %v, %d MiB allocated in all", len(text), took, allocated)
			assert.Less(t, took, 5*time.Second)
			assert.Less(t, allocated, uint64(64))
		})
	}
}

// quoted puts a text into a string, that string into another one, and so on.
func quoted(open string, levels int) string {
	text := []byte(`"x"`)
	for range levels {
		text = append(append([]byte(open), text...), '}')
		text, _ = jsontext.AppendQuote(nil, text)
	}
	return string(text)
}

func TestTableIsExplained(t *testing.T) {
	for _, s := range secrets {
		assert.NotEmpty(t, s.reason, s.member)
		assert.True(t, s.with != "" || s.withValues == nil, s.member)
	}
}

// After secrets are hidden, the text is JSON, and has nothing more to hide.
func FuzzJSON(f *testing.F) {
	f.Add(`{"password":"x","a":[1,{"qom-type":"secret","data":{}}]}`)
	f.Add(`{"filename":"json:{\"file\":{\"url\":\"https://u:p@h?x\"}} rbd::key=a exec:b"}`)
	f.Fuzz(func(t *testing.T, text string) {
		value := jsontext.Value(text)
		out := JSON([]byte(text))
		if value.Compact() != nil {
			assert.Equal(t, blot, string(out))
			return
		}
		require.True(t, jsontext.Value(out).IsValid(wirejson.Lenient()), "%s", out)
		require.Equal(t, string(out), string(JSON(out)))
		ReadRequest([]byte(text)).Message(out)
		JSONAlone(out)
	})
}
