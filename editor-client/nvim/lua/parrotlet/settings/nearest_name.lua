--- Finds the name that the user probably meant, for error messages.
local M = {}

--- Computes the Levenshtein distance of two words.
---@param one string
---@param other string
---@return integer
local function compute_distance(one, other)
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

--- Returns the nearest known name, or nil if none is near.
---@param name string
---@param known string[]
---@return string?
function M.find(name, known)
  local nearest, least = nil, math.max(1, math.floor(#name / 3)) + 1
  for _, candidate in ipairs(known) do
    local distance = compute_distance(name:lower(), candidate:lower())
    if distance < least or (distance == least and nearest and candidate < nearest) then
      nearest, least = candidate, distance
    end
  end
  return nearest
end

return M
