-- KEYS[1] session. Of two callers one gets it.
local fields = redis.call('HGETALL', KEYS[1])
redis.call('DEL', KEYS[1])
return fields
