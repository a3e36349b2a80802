-- Writes an entry unless the one there knew more, or knew as much and was loaded later. Returns whether it was written.
local old = redis.call('GETRANGE', KEYS[1], 0, 31)
if #old == 32 and string.sub(old, 1, 4) == string.sub(ARGV[1], 1, 4) and string.sub(old, 9, 16) == string.sub(ARGV[1], 9, 16) then
  for at = 17, 29, 4 do
    local is, new = struct.unpack('>I4', old, at), struct.unpack('>I4', ARGV[1], at)
    if is > new then return 0 end
    if is < new then break end
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
