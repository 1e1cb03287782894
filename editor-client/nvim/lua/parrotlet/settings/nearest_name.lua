--- Finds the name that somebody meant who wrote another.
local M = {}

--- How many characters must change to make one word of another.
---@param one string
---@param other string
---@return integer
local function distance(one, other)
  local row = {}
  for column = 0, #other do
    row[column] = column
  end
  for line = 1, #one do
    local diagonal = row[0]
    row[0] = line
    for column = 1, #other do
      local cost = one:byte(line) == other:byte(column) and 0 or 1
      local best = math.min(row[column] + 1, row[column - 1] + 1, diagonal + cost)
      diagonal, row[column] = row[column], best
    end
  end
  return row[#other]
end

--- Returns the nearest known name; nil if none is near.
---@param name string
---@param known string[]
---@return string?
function M.nearest(name, known)
  local best, least = nil, math.max(1, math.floor(#name / 3)) + 1
  for _, candidate in ipairs(known) do
    local steps = distance(name:lower(), candidate:lower())
    if steps < least or (steps == least and best and candidate < best) then
      best, least = candidate, steps
    end
  end
  return best
end

return M
