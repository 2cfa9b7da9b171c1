-- KEYS[1] guard · ARGV: fingerprint, now, end, time to live. 0 first, 1 the same again, 2 replayed.
local known = redis.call('GET', KEYS[1])
if known then
  local fingerprint, ends = string.match(known, '^(%x+) (%-?%d+)$')
  if ends and tonumber(ends) > tonumber(ARGV[2]) then
    if fingerprint == ARGV[1] then return 1 end
    return 2
  end
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[3], 'PX', ARGV[4])
return 0
