//go:build !unix

package qmp

const nonblock = 0

func pollable(int) error { return nil }
