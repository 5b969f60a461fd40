# The stream for Splunk's HTTP Event Collector, whose envelope has `event` and `time`
# of its own:
#   jq -c -f splunk-hec.jq /var/log/katrace/katrace.json.1 |
#     curl -sS -H "Authorization: Splunk $TOKEN" --data-binary @- https://splunk.example.org:8088/services/collector/event
# Tried: jq 1.6 (Debian 12); no Splunk was there to take it.
{
	time: ((.time | sub("\\.[0-9]+Z$"; "Z") | fromdate) + (.time | capture("(?<f>\\.[0-9]+)Z$").f | "0" + . | tonumber)),
	sourcetype: "katrace",
	source: "/var/log/katrace/katrace.json",
	host: .host,
	event: del(.time, .host)
}
| with_entries(select(.value != null))
