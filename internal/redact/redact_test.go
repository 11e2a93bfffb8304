package redact

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestJSON(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"password", `{"protocol":"vnc","password":"hunter2"}`, `{"protocol":"vnc","password":"[redacted]"}`},
		{"secret object", `{"qom-type":"secret","id":"s0","data":"hunter2"}`, `{"qom-type":"secret","id":"s0","data":"[redacted]"}`},
		{"tag behind", `{"data":"hunter2","qom-type":"secret"}`, `{"data":"[redacted]","qom-type":"secret"}`},
		{"other data", `{"type":"inet","data":{"host":"h"}}`, `{"type":"inet","data":{"host":"h"}}`},
		{"property", `{"path":"/objects/s0","property":"data","value":"hunter2"}`, `{"path":"/objects/s0","property":"data","value":"[redacted]"}`},
		{"other property", `{"property":"size","value":1}`, `{"property":"size","value":1}`},
		{"HMP", `{"command-line":"set_password vnc hunter2"}`, `{"command-line":"[redacted]"}`},
		{"program's input", `{"path":"passwd","input-data":"aHVudGVyMg=="}`, `{"path":"passwd","input-data":"[redacted]"}`},
		{"launch secret", `{"secret":"hunter2","gpa":1}`, `{"secret":"[redacted]","gpa":1}`},
		{"deep", `[{"a":{"password":{"x":1}}}]`, `[{"a":{"password":"[redacted]"}}]`},
		{"escaped name", `{"p\u0061ssword":"hunter2"}`, `{"p\u0061ssword":"[redacted]"}`},
		{"reference", `{"key-secret":"s0"}`, `{"key-secret":"s0"}`},
		{"scalar", `"x"`, `"x"`},
		{"in 5.2", `{"qom-type":"secret","props":{"data":"hunter2"}}`, `{"qom-type":"secret","props":"[redacted]"}`},
		{"change", `{"device":"vnc","target":"password","arg":"hunter2"}`, `{"device":"vnc","target":"password","arg":"[redacted]"}`},
		{"a disc", `{"device":"cd0","target":"x.iso","arg":"raw"}`, `{"device":"cd0","target":"x.iso","arg":"raw"}`},
		{"no value", `{""}`, Blot},
		{"broken", `{"password":"hunter2`, Blot},
		{"empty", `{}`, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, string(JSON([]byte(c.in))))
		})
	}
}

func TestSecretsHaveReasons(t *testing.T) {
	for _, s := range secrets {
		assert.NotEmpty(t, s.reason, s.member)
	}
}
