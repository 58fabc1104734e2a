#!/usr/bin/env bash
# Segments a series of a PACS: fetches it, asks PromptSeg, stores the DICOM SEG beside it.
#
# usage: promptseg-pacs.sh [options] HOST PORT STUDY SERIES [-- options of PromptSeg]
#
#   --aet NAME     our application entity title (PROMPTSEG); the archive must know it
#   --aec NAME     the archive's (ANY-SCP)
#   --move PORT    fetch by C-MOVE to this port of ours, for archives without C-GET
#   --rtstruct     store an RT structure set instead of a SEG
#   --keep FOLDER  keep the slices and what was made there; FOLDER/slices must be new or empty
#
# STUDY and SERIES are instance UIDs. DCMTK's getscu, movescu, findscu and storescu do the talking. Prints
# the UID of the instance that was stored. Exit codes as PromptSeg's: 1 usage, 2 the series was not
# fetched, or not wholly, 6 the archive did not take the result; those of PromptSeg otherwise.
set -euo pipefail

aet=PROMPTSEG aec=ANY-SCP move='' ending=.dcm folder=''
fail() {
    local code=$1
    shift
    echo "promptseg-pacs: $*" >&2
    exit "$code"
}
while [[ ${1:-} == --?* ]]; do
    case $1 in
    --aet | --aec | --move | --keep)
        [ $# -ge 2 ] || fail 1 "$1 wants a value"
        case $1 in
        --aet) aet=$2 ;;
        --aec) aec=$2 ;;
        --move) move=$2 ;;
        --keep) folder=$2 ;;
        esac
        shift
        ;;
    --rtstruct) ending=.rtstruct.dcm ;;
    *) fail 1 "unknown option $1" ;;
    esac
    shift
done
[ $# -ge 4 ] || fail 1 "wanted HOST PORT STUDY SERIES"
host=$1 port=$2 study=$3 series=$4
shift 4
[ $# = 0 ] || [ "$1" = -- ] || fail 1 "options of PromptSeg stand behind --"
[ $# = 0 ] || shift
# an empty or wild UID would fetch everything
for uid in "$study" "$series"; do
    [[ $uid =~ ^[0-9][0-9.]*$ ]] || fail 1 "'$uid' is no instance UID"
done

umask 077 # slices say who the patient is
if [ -z "$folder" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder/slices"
# what lies there may be another patient's
[ -z "$(ls -A "$folder/slices")" ] || fail 1 "$folder/slices is not empty: its files would be segmented too"
peer=(-aet "$aet" -aec "$aec" "$host" "$port")
wanted=(-S -k QueryRetrieveLevel=SERIES -k "StudyInstanceUID=$study" -k "SeriesInstanceUID=$series"
    -od "$folder/slices")
if [ -n "$move" ]; then
    said=$(movescu "${wanted[@]}" -aem "$aet" +P "$move" "${peer[@]}" 2>&1) || fail 2 "$said"
else
    said=$(getscu "${wanted[@]}" "${peer[@]}" 2>&1) || fail 2 "$said"
fi
# getscu ends with 0 when the archive could not send some of them
if grep -qaE '^[WEF]: .*(DIMSE status|response)|OneOrMoreFailures' <<<"$said"; then
    fail 2 "$host did not send the whole series $series: $said"
fi
[ -n "$(ls -A "$folder/slices")" ] || fail 2 "$host sent no slice of series $series $said"

# UIDs of the data sets themselves: those in sequences are printed with a path before them
tags=$(find "$folder/slices" -type f -print0 |
    xargs -0 dcmdump +p +P SOPInstanceUID +P SeriesInstanceUID) || fail 2 "$host sent what is no DICOM file"
# values NAME-OF-TAG: one a line
values() { sed -n "s/^($1) UI \[\([0-9.]*\).*/\1/p"; }
other=$(values 0020,000e <<<"$tags" | grep -vxF "$series" | head -n 1 || true)
[ -z "$other" ] || fail 2 "$host sent a slice of series $other, wanted $series"
sent=$(values 0008,0018 <<<"$tags" | sort -u)
# an archive that does not answer at this level is believed
there=$(findscu -ta 30 -td 60 -S -k QueryRetrieveLevel=IMAGE -k "StudyInstanceUID=$study" \
    -k "SeriesInstanceUID=$series" -k SOPInstanceUID "${peer[@]}" 2>&1 | sed 's/^I: //' |
    values 0008,0018 | sort -u || true)
lost=$(comm -13 <(echo "$sent") <(echo "$there") | grep -c . || true)
[ "$lost" = 0 ] ||
    fail 2 "$host sent $(grep -c . <<<"$sent") slices of series $series, $lost that it lists are missing"

result=$folder/promptseg$ending
"${PROMPTSEG:-PromptSeg}" "$@" "$folder/slices" "$result"
# -R: SEG is not among what storescu proposes by default
said=$(storescu -R "${peer[@]}" "$result" 2>&1) || fail 6 "$host does not take the result: $said"
dcmdump +P SOPInstanceUID "$result" | sed 's/.*\[\(.*\)\].*/\1/'
