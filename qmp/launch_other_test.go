//go:build !linux

package qmp

func serveLaunched() {}

func playLauncher() {}
