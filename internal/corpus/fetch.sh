#!/bin/sh
# Fetches QEMU's schemas, with which tests compare, into a folder: fetch.sh FOLDER. The schemas
# are under QEMU's licence. The archives of the releases come from QEMU's site, or from the
# address in QEMU_DOWNLOADS; schemas.sum has the checksums of the schemas. A release that is in
# the folder is not fetched again.
set -eu

sums=$(cd "$(dirname "$0")" && pwd)/schemas.sum
mkdir -p "$1/schema"
cd "$1/schema"
new=$PWD/.new
trap 'rm -rf "$new"' EXIT

# sum prints a checksum of the files that matter.
sum() {
	find qapi qga storage-daemon VERSION -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d ' ' -f 1
}

while read -r release version want; do
	[ ! -d "$release" ] || continue
	echo "QEMU $version"
	rm -rf "$new"
	mkdir "$new"
	url=${QEMU_DOWNLOADS:-https://download.qemu.org}/qemu-$version.tar.xz
	curl --fail --silent --show-error --location --output "$new/archive" "$url"
	tar --extract --file "$new/archive" --directory "$new" --strip-components 1 --wildcards --no-wildcards-match-slash \
		'*/qapi/*.json' '*/qga/qapi-schema.json' '*/storage-daemon/qapi/*.json' '*/VERSION'
	rm "$new/archive"
	got=$(cd "$new" && sum)
	[ "$got" = "$want" ] || { echo "$url: its schemas have the checksum $got, not $want" >&2; exit 1; }
	mv "$new" "$release"
done <"$sums"
