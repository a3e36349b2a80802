-- Changes settings that gateways share, and returns all of them. The first gateway that finds none gives its own.
if ARGV[1] == 'join' and redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('HGETALL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'format', '1')
for at = 2, #ARGV, 2 do
  if ARGV[at + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[at]) else redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
end
return redis.call('HGETALL', KEYS[1])
