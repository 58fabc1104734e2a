#!/usr/bin/env bash
# Segments a series of a PACS: fetches it, asks PromptSeg, stores the DICOM SEG beside it.
#
# usage: promptseg-pacs.sh [options] HOST PORT STUDY SERIES [-- options of PromptSeg]
#
#   --aet NAME     our application entity title (PROMPTSEG); the archive must know it
#   --aec NAME     the archive's (ANY-SCP)
#   --move PORT    fetch by C-MOVE to this port of ours, for archives without C-GET
#   --rtstruct     store an RT structure set instead of a SEG
#   --keep FOLDER  keep the slices and what was made there
#
# STUDY and SERIES are instance UIDs. DCMTK's getscu, movescu and storescu do the talking. Prints the
# UID of the instance that was stored. Exit codes as PromptSeg's: 1 usage, 2 nothing was fetched, 6 the
# archive did not take the result; those of PromptSeg otherwise.
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
peer=(-aet "$aet" -aec "$aec" "$host" "$port")
wanted=(-S -k QueryRetrieveLevel=SERIES -k "StudyInstanceUID=$study" -k "SeriesInstanceUID=$series"
    -od "$folder/slices")
if [ -n "$move" ]; then
    said=$(movescu "${wanted[@]}" -aem "$aet" +P "$move" "${peer[@]}" 2>&1) || fail 2 "$said"
else
    said=$(getscu "${wanted[@]}" "${peer[@]}" 2>&1) || fail 2 "$said"
fi
[ -n "$(ls -A "$folder/slices")" ] || fail 2 "$host sent no slice of series $series $said"

result=$folder/promptseg$ending
"${PROMPTSEG:-PromptSeg}" "$@" "$folder/slices" "$result"
# -R: SEG is not among what storescu proposes by default
said=$(storescu -R "${peer[@]}" "$result" 2>&1) || fail 6 "$host does not take the result: $said"
dcmdump +P SOPInstanceUID "$result" | sed 's/.*\[\(.*\)\].*/\1/'
