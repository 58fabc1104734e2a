#!/usr/bin/env bash
# resources/pacs/promptseg-pacs.sh against servers on loopback, in a network of their own that ends
# with this script: DCMTK's dcmqrscp, and Orthanc with DICOMweb.
#
# usage: pacs.sh PROGRAMS MODEL WORK READERS    exit status 77: not run, or not wholly, and why
#
# A series is stored, fetched, segmented; the SEG is stored, found again by C-FIND, REST and DICOMweb,
# fetched, and is voxel by voxel what PromptSeg makes of the series without a network. A series that does
# not come wholly, or another one, is refused.
set -euo pipefail
programs=$1 model=$2 work=$3 readers=$4
here=$(cd "$(dirname "$0")" && pwd)
script=$here/../../resources/pacs/promptseg-pacs.sh
series=$here/../../resources/demo/ct-3slice/dicom

skip() { echo "not run: $*"; exit 77; }
fail() { echo "FAILED: $*"; tail -n 20 "$work"/*.log 2>/dev/null || true; exit 1; }

for tool in dcmqrscp storescu getscu movescu findscu echoscu dcmdump unshare ip; do
    command -v $tool >/dev/null || skip "$tool is not installed (dcmtk, iproute2)"
done
if [ -z "${PROMPTSEG_PACS_INSIDE:-}" ]; then
    unshare --net true 2>/dev/null || skip "no network of its own can be made here"
    rm -rf "$work" && mkdir -p "$work"
    PROMPTSEG_PACS_INSIDE=1 exec unshare --net bash "$0" "$@"
fi
ip link set lo up

servers=()
stop() {
    for server in "${servers[@]}"; do
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
}
trap stop EXIT

# within SECONDS COMMAND...: until it succeeds
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

seed=('--foreground=-104.7,-25,-127.69' --segmentName liver)
export PROMPTSEG=$work/PromptSeg
printf '#!/bin/sh\nexec "%s/PromptSeg" --model "%s" --variant tiny_vit_256 "$@"\n' \
    "$programs" "$model" >"$PROMPTSEG"
chmod +x "$PROMPTSEG"
slice=$(find "$series" -type f | sort | head -n 1)
# the data set's own UID comes behind those of the series it refers to
uid() { dcmdump +P "$1" "$2" | sed 's/.*\[\(.*\)\].*/\1/' | tail -n 1; }
study_uid=$(uid StudyInstanceUID "$slice")
series_uid=$(uid SeriesInstanceUID "$slice")
"$PROMPTSEG" "${seed[@]}" "$series" "$work/wanted.seg.nrrd" >"$work/segment.log" || fail "no mask"
"$PROMPTSEG" "${seed[@]}" "$series" "$work/wanted.rtstruct.dcm" >"$work/segment.log" || fail "no contours"

unread=
# as_wanted SEG: its masks are those made without a network
as_wanted() {
    local code=0
    "$readers" -B "$here/../readers/check_dicom_outputs.py" "$series" "$work/wanted.seg.nrrd" "$1" \
        "$work/wanted.rtstruct.dcm" >"$work/readers.log" 2>&1 || code=$?
    [ $code = 0 ] || [ $code = 77 ] || fail "$1 is another segmentation"
    [ $code = 0 ] || unread="no independent reader"
}

# A series is there, the script runs, the result is found by C-FIND and fetched by C-GET.
round_trip() { # TITLE PORT
    local title=$1 port=$2 peer=(-aet PROMPTSEG -aec "$1" 127.0.0.1 "$2") stored found
    local script_peer=(--aec "$title" 127.0.0.1 "$port" "$study_uid")
    storescu -R "${peer[@]}" "$series"/* || fail "$title does not take the series"
    stored=$(bash "$script" "${script_peer[@]}" "$series_uid" -- "${seed[@]}" | tail -n 1) ||
        fail "$title: the script failed"
    found=$(findscu -S -k QueryRetrieveLevel=IMAGE -k "StudyInstanceUID=$study_uid" \
        -k SeriesInstanceUID= -k SOPInstanceUID -k "SOPInstanceUID=$stored" "${peer[@]}" 2>&1 |
        grep -ac "$stored" || true)
    [ "$found" -ge 1 ] || fail "$title: $stored is not found by C-FIND"
    bash "$script" --aec "$title" --move 14243 --keep "$work/$title-move" 127.0.0.1 "$port" \
        "$study_uid" "$series_uid" -- "${seed[@]}" >"$work/script.log" 2>&1 ||
        fail "$title: C-MOVE: $(cat "$work/script.log")"
    as_wanted "$work/$title-move/promptseg.dcm"
    bash "$script" --aec "$title" --rtstruct 127.0.0.1 "$port" "$study_uid" "$series_uid" -- \
        "${seed[@]}" >"$work/script.log" 2>&1 || fail "$title: --rtstruct: $(cat "$work/script.log")"
    echo "$stored" >"$work/$title.stored"
}

# refused CODE SAID ARGUMENTS...
refused() {
    local code=$1 said=$2 found=0
    shift 2
    bash "$script" "$@" >"$work/script.log" 2>&1 || found=$?
    [ $found = "$code" ] || fail "$*: exit code $found, wanted $code: $(cat "$work/script.log")"
    grep -qa -e "$said" "$work/script.log" || fail "$*: '$said' is not said: $(cat "$work/script.log")"
}

# ------------------------------------------------------------------------------------ DCMTK's server
mkdir -p "$work/archive"
cat >"$work/dcmqrscp.cfg" <<CFG
NetworkTCPPort = 14244
MaxPDUSize = 16384
MaxAssociations = 4
HostTable BEGIN
ours = (PROMPTSEG, localhost, 14243)
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
ARCHIVE $work/archive RW (200, 1024mb) ours
AETable END
CFG
dcmqrscp -c "$work/dcmqrscp.cfg" >"$work/dcmqrscp.log" 2>&1 &
servers+=($!)
within 20 echoscu -aet PROMPTSEG -aec ARCHIVE 127.0.0.1 14244 || fail "dcmqrscp does not start"
round_trip ARCHIVE 14244
refused 2 "sent no slice" --aec ARCHIVE 127.0.0.1 14244 "$study_uid" 1.2.3
refused 2 "refused" --aec ARCHIVE 127.0.0.1 14999 "$study_uid" "$series_uid"
refused 1 "no instance UID" --aec ARCHIVE 127.0.0.1 14244 "$study_uid" '*'
refused 1 "wanted HOST PORT" 127.0.0.1 14244
refused 1 "slices is not empty" --aec ARCHIVE --keep "$work/ARCHIVE-move" 127.0.0.1 14244 "$study_uid" 1.2.3
refused 3 "outside" --aec ARCHIVE 127.0.0.1 14244 "$study_uid" "$series_uid" -- --foreground 9999,0,0

# getscu_does COMMANDS: instead of the real one, which is $getscu; its slices go to $out
getscu=$(command -v getscu)
getscu_does() {
    mkdir -p "$work/fake"
    # shellcheck disable=SC2016
    printf '#!/usr/bin/env bash\nset -e\nout=$(grep -oaP "(?<= -od )\S+" <<<"$*")\n%s\n' "$1" >"$work/fake/getscu"
    chmod +x "$work/fake/getscu"
}
stored_files() { find "$work/archive" -name '*.dcm' | wc -l; }
before=$(stored_files)
get=(--aec ARCHIVE 127.0.0.1 14244 "$study_uid")
getscu_does "$getscu \"\$@\"; rm \"\$(find \"\$out\" -type f | head -n 1)\""
PATH=$work/fake:$PATH refused 2 "sent 2 slices of series $series_uid, 1 that it lists are missing" \
    "${get[@]}" "$series_uid" -- "${seed[@]}"
getscu_does "cp '$series'/* \"\$out\""
PATH=$work/fake:$PATH refused 2 "of series $series_uid, wanted 1.2.3" "${get[@]}" 1.2.3 -- "${seed[@]}"
PATH=$work/fake:$PATH bash "$script" "${get[@]}" "$series_uid" -- "${seed[@]}" >"$work/script.log" 2>&1 ||
    fail "a whole series of the imitated getscu is refused: $(cat "$work/script.log")"
before=$((before + 1))
# the archive has lost the file of a slice that it lists
lost=$(uid SOPInstanceUID "$slice")
find "$work/archive" -name 'CT*' -exec grep -qa "$lost" {} \; -delete
refused 2 "OneOrMoreFailures" "${get[@]}" "$series_uid" -- "${seed[@]}"
refused 2 "OneOrMoreFailures" --move 14243 "${get[@]}" "$series_uid" -- "${seed[@]}"
[ "$(stored_files)" = $((before - 1)) ] || fail "the result of a series that is not whole was stored"

# ------------------------------------------------------------------------------------------- Orthanc
orthanc=$(PATH=$PATH:/usr/sbin command -v Orthanc) || skip "DCMTK's server agreed; orthanc is not installed"
plugin=/usr/share/orthanc/plugins/libOrthancDicomWeb.so
[ -e $plugin ] || skip "DCMTK's server agreed; orthanc-dicomweb is not installed"
command -v curl >/dev/null || skip "DCMTK's server agreed; curl is not installed"
mkdir -p "$work/orthanc"
cat >"$work/orthanc.json" <<JSON
{ "Name": "test", "StorageDirectory": "$work/orthanc", "IndexDirectory": "$work/orthanc",
  "HttpPort": 18042, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
  "DicomAet": "ORTHANC", "DicomPort": 14242,
  "DicomCheckCalledAet": true, "DicomCheckModalityHost": true,
  "DicomAlwaysAllowEcho": false, "DicomAlwaysAllowStore": false, "DicomAlwaysAllowFind": false,
  "DicomAlwaysAllowGet": false, "DicomAlwaysAllowMove": false, "OverwriteInstances": true,
  "DicomModalities": { "promptseg": { "AET": "PROMPTSEG", "Host": "127.0.0.1", "Port": 14243,
      "AllowEcho": true, "AllowFind": true, "AllowGet": true, "AllowMove": true,
      "AllowStore": true } },
  "Plugins": [ "$plugin" ], "DicomWeb": { "Enable": true, "Root": "/dicom-web/" } }
JSON
"$orthanc" "$work/orthanc.json" >"$work/orthanc.log" 2>&1 &
servers+=($!)
web=http://127.0.0.1:18042
within 60 curl -sf $web/system || fail "Orthanc does not start"
round_trip ORTHANC 14242
stored=$(cat "$work/ORTHANC.stored")
refused 2 "" --aet STRANGER --aec ORTHANC 127.0.0.1 14242 "$study_uid" "$series_uid"

instance=$(curl -sf -X POST $web/tools/lookup -d "$stored" |
    python3 -c 'import json, sys; print([i["ID"] for i in json.load(sys.stdin) if i["Type"] == "Instance"][0])') ||
    fail "$stored is not found by REST"
curl -sf "$web/instances/$instance/file" -o "$work/rest.dcm" || fail "REST gives no file"
as_wanted "$work/rest.dcm"

# series_of MODALITY: UIDs by QIDO-RS
series_of() {
    curl -sf "$web/dicom-web/studies/$study_uid/series?Modality=$1" |
        python3 -c 'import json, sys; [print(s["0020000E"]["Value"][0]) for s in json.load(sys.stdin)]'
}
[ "$(series_of SEG | wc -l)" = 2 ] || fail "QIDO-RS finds $(series_of SEG | wc -l) SEG series, wanted 2"
[ "$(series_of RTSTRUCT | wc -l)" = 1 ] || fail "QIDO-RS finds no structure set"
made=$(uid SeriesInstanceUID "$work/rest.dcm")
series_of SEG | grep -qx "$made" || fail "QIDO-RS finds another series"
curl -sf -o "$work/wado" -H 'Accept: multipart/related; type="application/dicom"' \
    "$web/dicom-web/studies/$study_uid/series/$made/instances/$stored" || fail "no WADO-RS"
python3 - "$work/wado" "$work/wado.dcm" <<'PY'
import sys
body = open(sys.argv[1], "rb").read()
begin, end = body.index(b"\r\n\r\n") + 4, body.rindex(b"\r\n--")
open(sys.argv[2], "wb").write(body[begin:end])
PY
as_wanted "$work/wado.dcm"
[ -z "$unread" ] || skip "servers agreed; $unread"
echo "a series fetched, segmented and stored with dcmqrscp and Orthanc; the SEG found by C-FIND, REST and DICOMweb"
