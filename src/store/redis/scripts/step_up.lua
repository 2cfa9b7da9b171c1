-- KEYS[1] session · ARGV: the AuthnEvent, the new secret's digest. Returns 0 if the session has ended.
-- Sent twice it adds the event once, because a secret is never set twice.
local authn = redis.call('HGET', KEYS[1], 'authn')
if not authn then return 0 end
if redis.call('HGET', KEYS[1], 'secret') == ARGV[2] then return 1 end
redis.call('HSET', KEYS[1], 'authn', authn .. '\n' .. ARGV[1], 'secret', ARGV[2])
return 1
