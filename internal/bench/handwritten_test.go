//go:build linux

package main

import "encoding/json"

// schemaEntry is what people write by hand for the entries of a
// query-qmp-schema reply.
type schemaEntry struct {
	Name     string   `json:"name"`
	MetaType string   `json:"meta-type"`
	Features []string `json:"features,omitempty"`
	JSONType string   `json:"json-type,omitempty"`
	Members  []struct {
		Name     string          `json:"name"`
		Type     string          `json:"type"`
		Default  json.RawMessage `json:"default,omitempty"`
		Features []string        `json:"features,omitempty"`
	} `json:"members,omitempty"`
	Values      []string `json:"values,omitempty"`
	ElementType string   `json:"element-type,omitempty"`
	Tag         string   `json:"tag,omitempty"`
	Variants    []struct {
		Case string `json:"case"`
		Type string `json:"type"`
	} `json:"variants,omitempty"`
	ArgType  string `json:"arg-type,omitempty"`
	RetType  string `json:"ret-type,omitempty"`
	AllowOOB bool   `json:"allow-oob,omitempty"`
}

// blockNode is the same for query-named-block-nodes.
type blockNode struct {
	File             string `json:"file"`
	NodeName         string `json:"node-name"`
	RO               bool   `json:"ro"`
	Drv              string `json:"drv"`
	BackingFileDepth int64  `json:"backing_file_depth"`
	Encrypted        bool   `json:"encrypted"`
	DetectZeroes     string `json:"detect_zeroes"`
	BPS              int64  `json:"bps"`
	BPSRd            int64  `json:"bps_rd"`
	BPSWr            int64  `json:"bps_wr"`
	IOPS             int64  `json:"iops"`
	IOPSRd           int64  `json:"iops_rd"`
	IOPSWr           int64  `json:"iops_wr"`
	Image            struct {
		Filename    string `json:"filename"`
		Format      string `json:"format"`
		VirtualSize int64  `json:"virtual-size"`
		ActualSize  int64  `json:"actual-size"`
		ClusterSize *int64 `json:"cluster-size"`
		DirtyFlag   *bool  `json:"dirty-flag"`
		Specific    *struct {
			Type string   `json:"type"`
			Data struct { // what any type has
				Compat          string `json:"compat"`
				CompressionType string `json:"compression-type"`
				LazyRefcounts   *bool  `json:"lazy-refcounts"`
				RefcountBits    int64  `json:"refcount-bits"`
				Corrupt         *bool  `json:"corrupt"`
				ExtendedL2      *bool  `json:"extended-l2"`
			} `json:"data"`
		} `json:"format-specific"`
	} `json:"image"`
	Cache struct {
		Writeback bool `json:"writeback"`
		Direct    bool `json:"direct"`
		NoFlush   bool `json:"no-flush"`
	} `json:"cache"`
	WriteThreshold uint64 `json:"write_threshold"`
	Active         bool   `json:"active"`
}

// cpuDefinition is the same for query-cpu-definitions.
type cpuDefinition struct {
	Name                string   `json:"name"`
	MigrationSafe       *bool    `json:"migration-safe"`
	Static              bool     `json:"static"`
	UnavailableFeatures []string `json:"unavailable-features"`
	Typename            string   `json:"typename"`
	AliasOf             *string  `json:"alias-of"`
	Deprecated          bool     `json:"deprecated"`
}
