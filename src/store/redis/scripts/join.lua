-- KEYS[1] session · ARGV: field of the participant, time of joining, the participant.
-- Returns the participant in force; nothing if the session has ended.
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local known = redis.call('HGET', KEYS[1], ARGV[1])
local participant = known and string.match(known, '^%-?%d+ (.*)$') or ARGV[3]
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. participant)
return participant
