-- SPDX-License-Identifier: BSD-2-Clause
--
-- Which peers, services and settings are silently dying across the fleet?
SELECT
    peer, service_port, idle_ms, intvl_ms, cnt, user_timeout_ms,
    uniqExact(host) AS hosts,
    uniqExact(host, netns, inode) AS connections,
    countIf(change = 'recovered') AS recovered,
    countIf(change = 'ended') AS given_up
FROM katrace
WHERE time > now() - 600
    AND (change IN ('silent', 'unreachable', 'recovered') OR change = 'ended' AND verdict IN ('timed_out', 'unreachable'))
GROUP BY peer, service_port, idle_ms, intvl_ms, cnt, user_timeout_ms
ORDER BY connections DESC, peer, service_port
LIMIT 1000;
