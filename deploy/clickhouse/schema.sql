-- SPDX-License-Identifier: BSD-2-Clause
--
-- katrace's lines as they are, and columns of what is asked for. It works from 18.16 on.
-- A line goes in by any shipper, or so (TabSeparated wants backslashes doubled):
--
--   sed 's/\\/\\\\/g' katrace.json | clickhouse-client --query 'INSERT INTO katrace (line) FORMAT TabSeparated'
--
-- From 19.6 on add TTL time + INTERVAL 90 DAY after ORDER BY.
CREATE TABLE IF NOT EXISTS katrace
(
    line String,
    time DateTime MATERIALIZED parseDateTimeBestEffort(visitParamExtractString(line, 'time')),
    host String MATERIALIZED visitParamExtractString(line, 'host'),
    event String MATERIALIZED visitParamExtractString(line, 'event'),
    change String MATERIALIZED visitParamExtractString(line, 'change'),
    verdict String MATERIALIZED visitParamExtractString(line, 'verdict'),
    errno String MATERIALIZED visitParamExtractString(line, 'errno'),
    netns UInt32 MATERIALIZED visitParamExtractUInt(line, 'netns'),
    inode UInt64 MATERIALIZED visitParamExtractUInt(line, 'inode'),
    local_addr String MATERIALIZED visitParamExtractString(visitParamExtractRaw(line, 'local'), 'addr'),
    local_port UInt16 MATERIALIZED visitParamExtractUInt(visitParamExtractRaw(line, 'local'), 'port'),
    peer String MATERIALIZED visitParamExtractString(visitParamExtractRaw(line, 'remote'), 'addr'),
    peer_port UInt16 MATERIALIZED visitParamExtractUInt(visitParamExtractRaw(line, 'remote'), 'port'),
    service_port UInt16 MATERIALIZED least(local_port, peer_port),
    comm String MATERIALIZED visitParamExtractString(visitParamExtractRaw(line, 'process'), 'comm'),
    pod String MATERIALIZED visitParamExtractString(line, 'pod'),
    idle_ms UInt32 MATERIALIZED visitParamExtractUInt(visitParamExtractRaw(line, 'keepalive'), 'idle_ms'),
    intvl_ms UInt32 MATERIALIZED visitParamExtractUInt(visitParamExtractRaw(line, 'keepalive'), 'intvl_ms'),
    cnt UInt8 MATERIALIZED visitParamExtractUInt(visitParamExtractRaw(line, 'keepalive'), 'cnt'),
    user_timeout_ms UInt32 MATERIALIZED visitParamExtractUInt(visitParamExtractRaw(line, 'keepalive'), 'user_timeout_ms')
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (time, host);
