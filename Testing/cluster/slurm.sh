#!/usr/bin/env bash
# PromptSegBatch under a real Slurm: munged, slurmctld and slurmd on loopback, in name spaces of
# their own that end with this script.
#
# usage: slurm.sh PROGRAMS MODEL WORK       exit status 77: not run, for a reason that is printed
#
# An array of four shards; one task is killed while it works and submitted again, one is preempted by
# a job of higher priority and requeued. At the end every row is done exactly once.
set -euo pipefail
programs=$1 model=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)

skip() { echo "not run: $*"; exit 77; }
fail() { echo "FAILED: $*"; tail -n 20 "$work"/log/* 2>/dev/null || true; exit 1; }

for tool in munged slurmctld slurmd sbatch scontrol squeue scancel unshare ip; do
    command -v $tool >/dev/null || skip "$tool is not installed (slurmctld slurmd slurm-client munge)"
done
[ "$(id -u)" = 0 ] || skip "Slurm's daemons want root here"
if [ -z "${PROMPTSEG_SLURM_INSIDE:-}" ]; then
    unshare --net --uts --mount true 2>/dev/null || skip "no name spaces can be made here"
    rm -rf "$work" && mkdir -p "$work"/{munge,state,spool,log}
    PROMPTSEG_SLURM_INSIDE=1 exec unshare --net --uts --mount bash "$0" "$@"
fi

# --------------------------------------------------------------------------------- a cluster of one
ip link set lo up
ip addr add 192.0.2.1/32 dev lo # names resolve only where there is an address besides 127.x
hostname psnode
printf '127.0.0.1 localhost psnode\n' >"$work/hosts"
mount --bind "$work/hosts" /etc/hosts
chmod 711 "$work/munge"
head -c 128 /dev/urandom >"$work/munge/key"
chmod 600 "$work/munge/key"
export SLURM_CONF=$work/slurm.conf
cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=psnode(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/log/slurmctld
SlurmdLogFile=$work/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=5
NodeName=psnode NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=psnode Default=YES PriorityTier=1
PartitionName=urgent Nodes=psnode PriorityTier=10 PreemptMode=OFF
CONF
echo "CgroupPlugin=cgroup/v1" >"$work/cgroup.conf"

daemons=()
stop() {
    local i
    for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do
        kill "${daemons[i]}" 2>/dev/null && wait "${daemons[i]}" 2>/dev/null || true
    done
}
trap stop EXIT

# within SECONDS COMMAND...: until it succeeds
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge/socket" \
    --pid-file="$work/munge/pid" --seed-file="$work/munge/seed" >"$work/log/munged" 2>&1 &
daemons+=($!)
within 10 test -S "$work/munge/socket" || fail "munged does not start"
slurmctld -D -c >"$work/log/slurmctld.out" 2>&1 &
daemons+=($!)
controller_is_up() { timeout 2 scontrol ping 2>/dev/null | grep -q UP; }
within 20 controller_is_up || fail "slurmctld does not start"
slurmd -D -N psnode >"$work/log/slurmd.out" 2>&1 &
daemons+=($!)
node_is_idle() { [ "$(sinfo -h -p main -o %t 2>/dev/null)" = idle ]; }
within 30 node_is_idle || fail "slurmd does not start"

# ------------------------------------------------------------------------------------------- the job
python3 -B "$here/make_cases.py" "$work" || fail "no cases"
rows=$(($(wc -l <"$work/cases.csv") - 1))
export MANIFEST=$work/cases.csv OUTPUT=$work/results SHARDS=4
export PROMPTSEG_BATCH=$programs/PromptSegBatch
script=$here/../../resources/cluster/promptseg.sbatch

# submit ARRAY: prints the job's number
submit() {
    sbatch --parsable --export=ALL --array="$1" --cpus-per-task=1 --mem=0 --time=10 \
        --output="$work/log/task-%A_%a" "$script" --model "$model" --variant tiny_vit_256
}
runs() { [ "$(squeue -h -j "$1" -t R 2>/dev/null | wc -l)" -ge "${2:-1}" ]; }
is_over() { [ -z "$(squeue -h -j "$1" -t PD,R,CG,S 2>/dev/null)" ]; }
# says that the shard has finished a row, and so is in the middle of its work
has_begun() { [ -s "$OUTPUT/promptseg/status-$1-of-4.jsonl" ]; }

job=$(submit 1-4)
within 60 has_begun 1 || fail "shard 1 does not begin"
scancel --signal=KILL --full "${job}_1"
within 60 has_begun 3 || fail "shard 3 does not begin"
urgent=$(sbatch --parsable -p urgent -c 2 --output="$work/log/urgent" --wrap "sleep 1")
within 60 is_over "$urgent" || fail "the urgent job does not end"
within 120 is_over "$job" || fail "the array does not end"
preempted=$(scontrol -o show job "$job" | grep -cE 'Restarts=[1-9]' || true)
[ "$preempted" -ge 1 ] || fail "no task was preempted: $(scontrol -o show job "$job")"
killed_after=$(grep -c . "$OUTPUT/promptseg/status-1-of-4.jsonl")
[ "$killed_after" -lt $((rows / 4)) ] || fail "the task was killed too late"
again=$(submit 1)
within 60 is_over "$again" || fail "the task submitted again does not end"

# ----------------------------------------------------------------------------------------- the result
"$PROMPTSEG_BATCH" "$MANIFEST" --output "$OUTPUT" --collect || fail "--collect"
there=$(find "$OUTPUT" -maxdepth 1 -name '*.seg.nrrd' | wc -l)
done_rows=$(cut -d, -f1,2 "$OUTPUT/results.csv" | grep -c ',done$')
lines=$(cat "$OUTPUT"/promptseg/status-*.jsonl | grep -c '"state":"done"')
left=$(find "$OUTPUT" -name '.sgio-*' | wc -l)
[ "$there" = "$rows" ] && [ "$done_rows" = "$rows" ] || fail "$there of $rows outputs are there"
[ "$lines" = "$rows" ] || fail "$lines rows were finished, wanted $rows: some twice"
[ "$left" = 0 ] || fail "$left unfinished files are left"
echo "$rows rows in 4 shards, one task killed after $killed_after, $preempted preempted: all outputs there once"
