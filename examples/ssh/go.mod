// A module of its own, so that nobody who uses the library has an SSH client among
// their dependencies.
module github.com/goqapi/goqapi/examples/ssh

go 1.26.0

require (
	github.com/goqapi/goqapi v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/crypto v0.59.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.50.0 // indirect
)

replace github.com/goqapi/goqapi => ../..
