package codec_test

import (
	stdjson "encoding/json"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/qmp/codec"
)

func TestAtMostOne(t *testing.T) {
	type args struct{ N int }
	assert.Nil(t, codec.AtMostOne[args](nil))
	assert.Equal(t, args{7}, codec.AtMostOne([]args{{7}}))
	two := codec.AtMostOne([]args{{7}, {8}})
	for _, marshal := range []func(any) ([]byte, error){
		func(v any) ([]byte, error) { return json.Marshal(v) }, stdjson.Marshal,
	} {
		_, err := marshal(two)
		assert.ErrorContains(t, err, "2 structs of arguments, not one")
	}
}
