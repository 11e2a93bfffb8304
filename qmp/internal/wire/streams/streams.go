// Package streams has streams for tests: streams as servers send them, and streams that no server should send.
package streams

// A Stream is a stream, and what package wire reads from it.
type Stream struct {
	Name string
	Text string
	Want []string
}

// All are the streams.
var All = []Stream{
	{
		"replies as QEMU prints them",
		"{\"return\": {}}\r\n{\"return\": {\"a\": 1, \"id\": 2}, \"id\": 31}\r\n{\"id\": 4, \"error\": {\"class\": \"C\", \"desc\": \"\"}}\r\n",
		[]string{
			`return={} of {"return": {}}`,
			`return={"a": 1, "id": 2} id=31 of {"return": {"a": 1, "id": 2}, "id": 31}`,
			`error={"class": "C", "desc": ""} id=4 of {"id": 4, "error": {"class": "C", "desc": ""}}`,
			"EOF",
		},
	},
	{
		"a value that ends like an id",
		"{\"return\": {\"id\": 5}}\n{\"return\": 5}\n{\"return\": \"x, \\\"id\\\": 5\"}\n{\"return\": [1, 5]}\n",
		[]string{
			`return={"id": 5} of {"return": {"id": 5}}`,
			`return=5 of {"return": 5}`,
			`return="x, \"id\": 5" of {"return": "x, \"id\": 5"}`,
			`return=[1, 5] of {"return": [1, 5]}`,
			"EOF",
		},
	},
	{
		"an event between",
		"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}\r\n{\"return\": {}}\r\n",
		[]string{
			`event="STOP" timestamp={"seconds": 1, "microseconds": 2} of {"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}`,
			`return={} of {"return": {}}`,
			"EOF",
		},
	},
	{
		"pretty",
		"{\r\n    \"return\": [\r\n        {\r\n            \"a\": \"}\"\r\n        }\r\n    ],\r\n    \"id\": 1\r\n}\r\n",
		[]string{
			"return=[\r\n        {\r\n            \"a\": \"}\"\r\n        }\r\n    ] id=1 of {\r\n    \"return\": [\r\n        {\r\n            \"a\": \"}\"\r\n        }\r\n    ],\r\n    \"id\": 1\r\n}",
			"EOF",
		},
	},
	{
		"other white space, no line ends",
		`{"return":{},"id":1}{"return": {}, "id": 2} {"return": {}}`,
		[]string{
			`return={} id=1 of {"return":{},"id":1}`,
			`return={} id=2 of {"return": {}, "id": 2}`,
			`return={} of {"return": {}}`,
			"EOF",
		},
	},
	{
		"numbers that are not JSON",
		"{\"id\": inf, \"return\": {}}\n{\"id\": -inf, \"return\": [nan, 1e400]}\n",
		[]string{
			`return={} id=inf of {"id": inf, "return": {}}`,
			`return=[nan, 1e400] id=-inf of {"id": -inf, "return": [nan, 1e400]}`,
			"EOF",
		},
	},
	{
		"a guest agent's fresh start",
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray '\\uFFFD'\"}}\n\xff{\"return\": 7890}\n",
		[]string{
			`error={"class": "GenericError", "desc": "JSON parse error, stray '\uFFFD'"} of {"error": {"class": "GenericError", "desc": "JSON parse error, stray '\uFFFD'"}}`,
			`return=7890 of {"return": 7890}`,
			"EOF",
		},
	},
	{
		"a fresh start in mid-message",
		"{\"return\": [1, 2\xff{\"return\": 7890}\n",
		[]string{
			`garbage: 16 bytes from the server are not a message: it is broken at byte 16: "{\"return\": [1, 2"`,
			`return=7890 of {"return": 7890}`,
			"EOF",
		},
	},
	{
		"garbage between messages",
		"{\"event\": \"A\"}\nQEMU 7.2 monitor {\"return\": 1}\n\n  oops\n{\"event\": \"B\"}\n",
		[]string{
			`event="A" of {"event": "A"}`,
			`garbage: 30 bytes from the server are not a message: it is not a JSON object: "QEMU 7.2 monitor {\"return\": 1}"`,
			`garbage: 4 bytes from the server are not a message: it is not a JSON object: "oops"`,
			`event="B" of {"event": "B"}`,
			"EOF",
		},
	},
	{
		"a message that is cut short does not swallow the next",
		"{\"event\": \"A\", \"data\": {\"x\": \r\n{\"event\": \"B\"}\r\n{\"event\": \"C\"}\r\n",
		[]string{
			`garbage: 31 bytes from the server are not a message: it is broken at byte 47: "{\"event\": \"A\", \"data\": {\"x\": \r\n"`,
			`event="B" of {"event": "B"}`,
			`event="C" of {"event": "C"}`,
			"EOF",
		},
	},
	{
		"a message cut short in a string",
		"{\"event\": \"A\", \"data\": {\"x\": \"y\r\n{\"event\": \"B\"}\r\n",
		[]string{
			`garbage: 32 bytes from the server are not a message: it is broken at byte 32: "{\"event\": \"A\", \"data\": {\"x\": \"y\r"`,
			`event="B" of {"event": "B"}`,
			"EOF",
		},
	},
	{
		"brackets that do not fit",
		"{\"event\": [\"A\"}]\n{\"event\": \"B\"}\n",
		[]string{
			`garbage: 16 bytes from the server are not a message: it is broken at byte 14: "{\"event\": [\"A\"}]"`,
			`event="B" of {"event": "B"}`,
			"EOF",
		},
	},
	{
		"garbage at the end",
		"{\"event\": \"A\"}\noops\n",
		[]string{
			`event="A" of {"event": "A"}`,
			`garbage: 4 bytes from the server are not a message: it is not a JSON object: "oops"`,
			"EOF",
		},
	},
	{
		"the end in mid-message",
		"{\"event\": \"A\"}\n{\"return\": {",
		[]string{`event="A" of {"event": "A"}`, "unexpected EOF"},
	},
	{
		"the end after a reply's brace",
		"{\"return\": {}} ",
		[]string{`return={} of {"return": {}}`, "EOF"},
	},
	{
		"a reply that is a prefix and nothing else",
		"{\"return\": }\n{\"return\": \n}\n{\"event\": \"B\"}\n",
		[]string{
			`garbage: 12 bytes from the server are not a message: it is broken at byte 11: "{\"return\": }"`,
			`garbage: 13 bytes from the server are not a message: it is broken at byte 12: "{\"return\": \n}"`,
			`event="B" of {"event": "B"}`,
			"EOF",
		},
	},
}
