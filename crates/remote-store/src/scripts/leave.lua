-- Takes a gateway off the list, because it has stopped serving.
return redis.call('HDEL', KEYS[1], 'p:' .. ARGV[1], 'o:' .. ARGV[1])
