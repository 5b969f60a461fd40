# The stream as Elastic's Common Schema has it, in which `event` is an object:
#   tail -F /var/log/katrace/katrace.json | jq -c --unbuffered -f ecs.jq
# Tried: jq 1.6 (Debian 12). The local side is source, whoever connected.
{
	"@timestamp": .time,
	ecs: {version: "8.11.0"},
	event: {
		kind: "event", category: ["network"], dataset: "katrace", action: .event,
		type: [if .change == "ended" then "end" else "info" end]
	},
	host: {name: .host},
	source: {ip: .local.addr, port: .local.port},
	destination: {ip: .remote.addr, port: .remote.port},
	network: {transport: (if .local then "tcp" else null end), type: (.family | if . == "ipv6" then . elif . then "ipv4" else null end)},
	process: {pid: .process.pid, name: .process.comm},
	user: {id: (if .uid then "\(.uid)" else null end)},
	container: {id: .container},
	error: {code: .errno},
	katrace: del(.time, .event, .host, .local, .remote, .family, .process, .uid, .container, .errno)
}
| walk(if type == "object" then with_entries(select(.value != null and .value != {})) else . end)
