-- The work of lua.c: numbers, tables, closures, methods, strings. Gets N, returns a text.
local n = ...
local out = {}

local function queens(size)
  local found, columns, up, down = 0, {}, {}, {}
  local function place(row)
    if row > size then found = found + 1 return end
    for column = 1, size do
      if not columns[column] and not up[row + column] and not down[row - column + size] then
        columns[column], up[row + column], down[row - column + size] = true, true, true
        place(row + 1)
        columns[column], up[row + column], down[row - column + size] = nil, nil, nil
      end
    end
  end
  place(1)
  return found
end

local Account = {}
Account.__index = Account
function Account.new(balance) return setmetatable({balance = balance, log = {}}, Account) end
function Account:put(amount) self.balance = self.balance + amount; self.log[#self.log + 1] = amount end

local function words(count)
  local seed, list = 42, {}
  for i = 1, count do
    seed = (seed * 1103515245 + 12345) % 2147483648
    list[i] = string.format("%s%05d", string.char(97 + seed % 26, 97 + (seed // 26) % 26), seed % 100000)
  end
  table.sort(list)
  local text = table.concat(list, " ")
  local counts = {}
  for first in text:gmatch("(%a)%a%d+") do counts[first] = (counts[first] or 0) + 1 end
  return #text .. text:gsub("%d", "#"):sub(1, 20) .. (counts.a or 0)
end

for round = 1, n do
  out[#out + 1] = queens(6)
  local account = Account.new(round)
  for i = 1, 2000 do account:put(i % 17) end
  out[#out + 1] = account.balance + #account.log
  out[#out + 1] = words(400)
  local x = 0.0
  for i = 1, 4000 do x = x + math.sqrt(i) * (i % 3) end
  out[#out + 1] = string.format("%.6f", x)
end
return table.concat(out, ",")
