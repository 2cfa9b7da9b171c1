-- KEYS the counters. Takes one attempt back; a wait that stands was made by that very attempt. Returns how many there were.
local found = 0
for _, key in ipairs(KEYS) do
  local known = redis.call('GET', key)
  if known then
    local count, forget = string.match(known, '^(%d+) %-?%d+ (%-?%d+)$')
    if tonumber(count) <= 1 then
      redis.call('DEL', key)
    else
      redis.call('SET', key, string.format('%.0f 0 %s', tonumber(count) - 1, forget), 'KEEPTTL')
    end
    found = found + 1
  end
end
return found
