package qapi

import "context"

// QOMGetAs is [Client.QOMGet] with the property decoded into a type:
//
//	size, err := qapi.QOMGetAs[uint64](ctx, c, "/machine/peripheral/dimm0", "size")
func QOMGetAs[T any](ctx context.Context, c *Client, path, property string) (T, error) {
	var v T
	err := c.conn.Execute(ctx, "qom-get", QOMGetArgs{Path: path, Property: property}, &v)
	return v, err
}
