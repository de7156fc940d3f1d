#!/bin/sh
# A comparison across two hosts, each a network namespace of its own (and a host name of its own), joined by one cable:
#   two_hosts.sh TESSERA PICTURES
# mpirun on the first starts two processes on each; all that they say goes over the cable as TCP. Ends with 77 where
# namespaces cannot be made.
set -eu
tessera=$1
pictures=$2
id=$$
first="tessera-a-$id"
second="tessera-b-$id"
work=$(mktemp -d)

cleanup() {
  ip netns del "$first" 2>/dev/null || true
  ip netns del "$second" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

skip() {
  echo "skipped: $1"
  exit 77
}
command -v mpirun >/dev/null || skip "there is no mpirun"
command -v ip >/dev/null || skip "there is no ip (iproute2)"
[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
ip netns add "$first" 2>/dev/null || skip "network namespaces cannot be made here"
ip netns add "$second"
ip -n "$first" link add cable type veth peer name cable netns "$second" 2>/dev/null || skip "there is no veth here"
ip -n "$first" addr add 10.77.0.1/24 dev cable
ip -n "$second" addr add 10.77.0.2/24 dev cable
for host in "$first" "$second"; do
  ip -n "$host" link set lo up
  ip -n "$host" link set cable up
done

# What mpirun takes for ssh: agent HOST COMMAND...
cat >"$work/agent" <<AGENT
#!/bin/sh
shift
exec ip netns exec $second unshare --uts sh -c 'hostname second; exec sh -c "\$*"' agent "\$@"
AGENT
chmod +x "$work/agent"
printf '10.77.0.1 slots=2\n10.77.0.2 slots=2\n' >"$work/hosts"

for class in n01440764:jpeg_444.jpg n01443537:png_rgb.png n15075141:jpeg_progressive.jpg; do
  mkdir -p "$work/data/${class%%:*}"
  for copy in 1 2 3 4 5 6; do
    cp "$pictures/${class#*:}" "$work/data/${class%%:*}/$copy-${class#*:}"
  done
done
export TESSERA_HOME="$work/home"
compare="$tessera compare --data $work/data -m seeded:resnet18@1 -m seeded:vit_tiny_patch16_224@1 --threads 1 --warmup 0"

$compare --out "$work/one" >/dev/null 2>&1
before=$(ip -n "$second" -s -j link show cable | tr ',' '\n' | grep -m1 '"bytes"' | tr -dc 0-9)
ip netns exec "$first" unshare --uts sh -c 'hostname first; exec "$@"' sh \
  mpirun --allow-run-as-root --hostfile "$work/hosts" -n 4 --map-by node --oversubscribe \
  --mca plm_rsh_agent "$work/agent" --mca btl tcp,self --mca btl_tcp_if_include cable --mca oob_tcp_if_include cable \
  -x TESSERA_HOME $compare --mpi --out "$work/two" >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
after=$(ip -n "$second" -s -j link show cable | tr ',' '\n' | grep -m1 '"bytes"' | tr -dc 0-9)

python3 - "$work/one/predictions.csv" "$work/two/predictions.csv" <<'CHECK'
import csv, sys
def rows(path):
    table = list(csv.reader(open(path, newline="")))
    keep = [i for i, name in enumerate(table[0]) if not name.endswith("_ms")]
    return [[row[i] for i in keep] for row in table]
one, two = map(rows, sys.argv[1:])
assert len(one) == 19, len(one)
assert one == two, "the two hosts predict otherwise"
CHECK
echo "$((after - before)) bytes came over the cable to the second host for 18 pictures and the start"

# A host that is set up otherwise is refused by name.
if ip netns exec "$first" unshare --uts sh -c 'hostname first; exec "$@"' sh \
  mpirun --allow-run-as-root --oversubscribe --mca plm_rsh_agent "$work/agent" --mca btl tcp,self \
  --mca btl_tcp_if_include cable --mca oob_tcp_if_include cable -x TESSERA_HOME \
  -n 1 --host 10.77.0.1 $compare --mpi --out "$work/three" --isa avx2 : \
  -n 1 --host 10.77.0.2 $compare --mpi --out "$work/three" --isa sse4 >"$work/out" 2>&1; then
  echo "a host with another instruction set was not refused"
  exit 1
fi
grep -q "rank 1 on second is set up otherwise than rank 0 on first" "$work/out" || { cat "$work/out"; exit 1; }
echo "passed"
