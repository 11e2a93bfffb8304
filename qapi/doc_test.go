package qapi_test

import (
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
)

// TestIndex checks that the links in the package's documentation lead to something that exists.
func TestIndex(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	client := reflect.TypeFor[*qapi.Client]()
	links := regexp.MustCompile(`\[(Client\.)?([A-Z]\w+)\]`).FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(links), 80)
	for _, link := range links {
		if link[1] != "" {
			_, ok := client.MethodByName(link[2])
			assert.True(t, ok, "%s: there is no such method", link[0])
			continue
		}
		_, isType := allTypes[link[2]]
		others := []string{
			"Device", "Introspect", "Supports", "RunStateIOError", "Text", "Subscribe", "Events", "Await", "AddFile", "TypeText", "Click",
			"QOMGetAs", "HMP",
		}
		if !isType {
			assert.Contains(t, others, link[2], "%s: there is no such type", link[0])
		}
	}
}
