"""The Lua that makes each step atomic in Redis. Not for: deciding anything about a write.

`APPEND` runs as the web user and touches only what that user may (`deploy/redis/queue.acl`); the
rest runs as the worker. Times are the server's own, so that no two hosts' clocks are compared.
A mailbox is `mb:<name>`; the name's first letter is its lane.
"""

_NOW = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
"""

APPEND = """
-- KEYS: mailbox, idempotency record, closed mark, dirty set
-- ARGV: envelope, idempotency value, its seconds, capacity, mailbox name, replicas
local known = redis.call('GET', KEYS[2])
if known then
  -- WAIT counts what this connection wrote: a repetition must write to be waited for.
  if ARGV[6] ~= '0' then redis.call('SET', KEYS[2], known, 'KEEPTTL') end
  return {'known', known}
end
if redis.call('GET', KEYS[3]) then return {'closed', ''} end
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[4]) then return {'full', ''} end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
redis.call('SADD', KEYS[4], ARGV[5])
return {'fresh', ''}
"""

CLAIM = (
    _NOW
    + """
-- KEYS: dirty set, counter of turns, this lane's pause, this lane's due set, this lane's RQ queue,
--       then the due sets of w, b, n
-- ARGV: lease in seconds, how many wake-ups may wait
local due = {w = KEYS[6], b = KEYS[7], n = KEYS[8]}
for _, name in ipairs(redis.call('SPOP', KEYS[1], 500)) do
  local lane = due[string.sub(name, 1, 1)]
  if lane then redis.call('ZADD', lane, 'NX', now, name) end
end
local paused = redis.call('PTTL', KEYS[3])
if paused > 0 then return {paused} end
local room = tonumber(ARGV[2]) - redis.call('LLEN', KEYS[5])
if room <= 0 then return {0} end
local answer = {0}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, room)) do
  local turn = redis.call('INCR', KEYS[2])
  redis.call('SET', 'turn:' .. name, turn, 'EX', 86400)
  redis.call('ZADD', KEYS[4], now + tonumber(ARGV[1]), name)
  answer[#answer + 1] = name
  answer[#answer + 1] = turn
end
local first = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
if first[2] then answer[1] = math.max(1, math.floor((tonumber(first[2]) - now) * 1000)) end
return answer
"""
)
"""Milliseconds until there is something to claim (0: nothing known), then names and turns."""

RENEW = (
    _NOW
    + """
-- KEYS: turn, due set; ARGV: turn, mailbox name, lease in seconds
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[2])
return 1
"""
)

MARK = """
-- KEYS: turn, sent mark, outcome; ARGV: turn, operation id
-- Says before the first call that the head may have been sent, and how often it was tried.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
local tries = 1
local op, count = string.match(redis.call('GET', KEYS[2]) or '', '^(%S+) (%d+)$')
if op == ARGV[2] then tries = tonumber(count) + 1 end
redis.call('SET', KEYS[2], ARGV[2] .. ' ' .. tries, 'EX', 86400)
return tries
"""

PROMOTE = """
-- KEYS: mailbox, turn; ARGV: turn, envelope. Moves it to the head.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if redis.call('LREM', KEYS[1], 1, ARGV[2]) == 1 then redis.call('LPUSH', KEYS[1], ARGV[2]) end
return 1
"""

SETTLE = """
-- KEYS: mailbox, turn, due set, sent mark, closed mark, dead letters
-- ARGV: turn, mailbox name, sha1 of the head, how many, seconds to stay closed (0: open),
--       dead letter ('': none), applied (1 or 0), then per outcome: operation id, outcome, seconds
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return {'lost', 0} end
local head = redis.call('LINDEX', KEYS[1], 0)
if not head or redis.sha1hex(head) ~= ARGV[3] then return {'moved', 0} end
local count, closing = tonumber(ARGV[4]), tonumber(ARGV[5])
if closing > 0 and redis.call('LLEN', KEYS[1]) ~= count then return {'moved', 0} end
redis.call('LTRIM', KEYS[1], count, -1)
redis.call('DEL', KEYS[4])
if closing > 0 then redis.call('SET', KEYS[5], '1', 'EX', closing) end
if closing > 0 and ARGV[7] == '1' then
  redis.call('DEL', KEYS[6])
elseif ARGV[7] == '1' and redis.call('EXISTS', KEYS[6]) == 1 then
  if redis.call('LINDEX', KEYS[6], -1) ~= '-' then redis.call('RPUSH', KEYS[6], '-') end
end
if ARGV[6] ~= '' then redis.call('RPUSH', KEYS[6], ARGV[6]) end
for i = 8, #ARGV, 3 do
  redis.call('SET', 'op:' .. ARGV[i], ARGV[i + 1], 'EX', ARGV[i + 2], 'NX')
  redis.call('PUBLISH', 'op:done', ARGV[i])
end
local left = redis.call('LLEN', KEYS[1])
if left == 0 then redis.call('ZREM', KEYS[3], ARGV[2]) end
return {'settled', left}
"""
"""A `-` among dead letters: a later write was applied, so what stands before it stays dead."""

REST = (
    _NOW
    + """
-- KEYS: mailbox, turn, due set; ARGV: turn, mailbox name, seconds until it is due again
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if redis.call('LLEN', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[2])
else
  redis.call('ZADD', KEYS[3], now + tonumber(ARGV[3]), ARGV[2])
end
redis.call('DEL', KEYS[2])
return 1
"""
)

PAUSE = """
-- KEYS: pauses and the web tier's sign of them; ARGV: milliseconds. The longest one counts.
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[1]) then
    redis.call('SET', key, '1', 'PX', ARGV[1])
  end
end
return 1
"""

REPLAY = """
-- KEYS: dead letters, mailbox, dirty set, outcome, sent mark, closed mark
-- ARGV: dead letter, envelope, mailbox name
if redis.call('EXISTS', KEYS[6]) == 1 then return 'closed' end
if redis.call('EXISTS', KEYS[5]) == 1 then return 'busy' end
local found, passed = false, false
for _, entry in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if entry == ARGV[1] then found = true elseif found and entry == '-' then passed = true end
end
if not found then return 'unknown' end
if passed then return 'passed' end
redis.call('LREM', KEYS[1], 1, ARGV[1])
redis.call('DEL', KEYS[4])
redis.call('LPUSH', KEYS[2], ARGV[2])
redis.call('SADD', KEYS[3], ARGV[3])
return 'replayed'
"""
