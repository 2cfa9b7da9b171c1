-- KEYS the counter · ARGV: how many failures are free. Takes one failure back, and the wait with it where none is due any more.
local known = redis.call('GET', KEYS[1])
if not known then return 0 end
local count, ends, forget = string.match(known, '^(%d+) (%-?%d+) (%-?%d+)$')
count = tonumber(count) - 1
if count < 1 then return redis.call('DEL', KEYS[1]) end
if count < tonumber(ARGV[1]) then ends = '0' end
redis.call('SET', KEYS[1], string.format('%.0f %s %s', count, ends, forget), 'KEEPTTL')
return 1
