"""The Lua steps of `grants.py`: each is one decision that no other caller can come between.

Not for: opening or sealing records (`grants.py`). Scripts see keys, counters, times and client
ids only. They take the time from Redis, so that all processes agree on it.

A grant `gr:<gid>` is a hash: cid (client), uid (keyed hash of the member), gen (the generation of
refresh token that is good now), rot (when it was rotated), ep (the member's epoch at birth), abs
(when it ends at the latest), chk (when the CRM was last asked), rec (sealed record), at
(when it was made), dev (coarsely, on what).
"""

LOOK = """
local record = redis.call('GET', KEYS[1])
if record then return {'ok', record} end
local used = redis.call('GET', KEYS[2])
if used and string.match(used, '|(.*)$') == ARGV[1] then
  redis.call('DEL', 'gr:' .. string.match(used, '^([^|]*)'))
  return {'replay'}
end
return {'gone'}
"""
"""KEYS code, used. ARGV client. A second use by the same client kills the grant of the first
(RFC 6749 section 4.1.2); another client's try changes nothing."""

REDEEM = """
local used = redis.call('GET', KEYS[2])
if used then
  if string.match(used, '|(.*)$') == ARGV[2] then
    redis.call('DEL', 'gr:' .. string.match(used, '^([^|]*)'))
  end
  return 'replay'
end
if redis.call('DEL', KEYS[1]) == 0 then return 'gone' end
if redis.call('EXISTS', KEYS[7]) == 1 then return 'ended' end
redis.call('SET', KEYS[2], ARGV[1] .. '|' .. ARGV[2], 'EX', ARGV[3])
if (redis.call('GET', KEYS[6]) or '0') ~= ARGV[4] then return 'epoch' end
local now = tonumber(redis.call('TIME')[1])
local left = tonumber(ARGV[5]) - now
redis.call('HSET', KEYS[3], 'cid', ARGV[2], 'uid', ARGV[6], 'gen', 0, 'rot', now,
  'ep', ARGV[4], 'abs', ARGV[5], 'chk', now, 'rec', ARGV[7], 'at', now, 'dev', ARGV[12])
redis.call('EXPIRE', KEYS[3], math.min(tonumber(ARGV[8]), left))
redis.call('SET', KEYS[4], ARGV[9], 'EX', ARGV[10])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now)
redis.call('ZADD', KEYS[5], ARGV[5], ARGV[1])
redis.call('EXPIRE', KEYS[5], ARGV[11])
redis.call('EXPIRE', KEYS[6], ARGV[11])
return 'ok'
"""
"""KEYS code, used, grant, access token, member's grants, member's epoch, ended. ARGV gid, client,
tombstone's life, epoch, absolute end, uid, grant record, idle life, token record, token life, index
life, device. Consumes the code, leaves the tombstone and makes the grant. An epoch that was raised
since the sign-in refuses, so a sign-in that races a reset doesn't outlive it; so does a grant that
was ended before it was made."""

ROTATE = """
local v = redis.call('HMGET', KEYS[1], 'cid', 'gen', 'rot', 'abs')
if not v[2] then return {'gone'} end
if v[1] ~= ARGV[2] then return {'client'} end
local now = tonumber(redis.call('TIME')[1])
local left = tonumber(v[4]) - now
if left <= 0 or (redis.call('GET', KEYS[3]) or '0') ~= ARGV[7] then
  redis.call('DEL', KEYS[1])
  return {'gone'}
end
local presented, current, leeway = tonumber(ARGV[1]), tonumber(v[2]), tonumber(ARGV[3])
local answer = 'ok'
local successor = presented + 1
if presented == current or presented == current + 1 then
  if presented > current then answer = 'forward' end
  redis.call('HSET', KEYS[1], 'gen', successor, 'rot', now)
elseif not (leeway > 0 and successor == current and now - tonumber(v[3]) <= leeway) then
  redis.call('DEL', KEYS[1])
  return {'reuse'}
end
redis.call('SET', KEYS[2], ARGV[4], 'EX', math.min(tonumber(ARGV[5]), left))
redis.call('EXPIRE', KEYS[1], math.min(tonumber(ARGV[6]), left))
return {answer, successor}
"""
"""KEYS grant, new access token, member's epoch. ARGV generation presented, client, leeway, token
record, token life, idle life, the sealed record's epoch. The token before the current one gets the
same successor within the leeway (a retry after a lost answer); any older one ends the grant. One
generation ahead is a rotation that a failover of Redis lost: its MAC says that we gave it out, so
it is accepted once. Another client's try never ends a grant."""

CHECK = """
local record = redis.call('GET', KEYS[1])
if not record then return false end
local gid = string.match(record, '^([^|]*)|')
if gid == '' then return {record} end
local v = redis.call('HMGET', 'gr:' .. gid, 'uid', 'ep', 'rec')
if not v[1] or (redis.call('GET', 'ep:' .. v[1]) or '0') ~= v[2] then return false end
return {record, v[3], v[1], v[2]}
"""
"""KEYS access token. Gives its record, and its grant's record, uid and epoch, if the grant lives
and the epoch is the one it was born under."""

END_GRANT = """
local v = redis.call('HMGET', KEYS[1], 'uid', 'cid', 'rec')
if not v[1] then
  if ARGV[2] == '' then redis.call('SET', KEYS[2], 1, 'EX', ARGV[3]) end
  return 0
end
if ARGV[2] ~= '' and v[2] ~= ARGV[2] then return 0 end
redis.call('ZREM', 'sub:' .. v[1], ARGV[1])
redis.call('DEL', KEYS[1])
return {v[2], v[3]}
"""
"""KEYS grant, ended. ARGV gid, client (empty: whoever's it is), a code's life. A grant whose code
still waits is not there yet; what is left says that it shall not be. Gives client and record."""

LIST = """
local found = {}
for _, gid in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local v = redis.call('HMGET', 'gr:' .. gid, 'cid', 'at', 'rot', 'dev', 'ep')
  if v[1] and v[5] == (redis.call('GET', KEYS[2]) or '0') then
    for _, value in ipairs({gid, v[1], v[2] or v[3], v[3], v[4] or ''}) do
      found[#found + 1] = value
    end
  end
end
return found
"""
"""KEYS member's grants, member's epoch. Five values for each grant that lives."""

END_APART = """
local v = redis.call('HMGET', KEYS[1], 'uid', 'cid', 'rec')
if v[1] ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[3], 1, 'EX', ARGV[3])
return {v[2], v[3]}
"""
"""KEYS grant, member's grants, ended. ARGV uid, gid, seconds. Ends the grant from elsewhere, if it
is this member's: the mark tells the browser that it came from. Gives client and record."""

END_MEMBER = """
if ARGV[2] ~= '' then redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[3]) end
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
local ended = {}
for _, gid in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local v = redis.call('HMGET', 'gr:' .. gid, 'cid', 'rec')
  if redis.call('DEL', 'gr:' .. gid) == 1 then
    for _, value in ipairs({gid, v[1], v[2]}) do ended[#ended + 1] = value end
  end
end
redis.call('DEL', KEYS[2])
return ended
"""
"""KEYS member's epoch, member's grants, member's newest stamp. ARGV index life, digest of a stamp
that was just given (empty: it didn't change), its seconds."""

CHECKED = """
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'chk', redis.call('TIME')[1])
end
"""
"""KEYS grant. Notes that the CRM confirmed the member just now."""
