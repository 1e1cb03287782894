--- Lays out the pairs of a label and a text in which the server reports to people.
local M = {}

--- Returns a line for each pair, the texts in one column.
---@param pairs_told any A list of pairs.
---@return string[]
function M.lines(pairs_told)
  local rows = {}
  for _, row in ipairs(type(pairs_told) == 'table' and pairs_told or {}) do
    if type(row) == 'table' and type(row[1]) == 'string' and row[2] ~= nil then
      rows[#rows + 1] = { row[1], tostring(row[2]) }
    end
  end
  local width = 0
  for _, row in ipairs(rows) do
    width = math.max(width, vim.fn.strdisplaywidth(row[1]))
  end
  return vim.tbl_map(function(row)
    local gap = (' '):rep(width - vim.fn.strdisplaywidth(row[1]) + 2)
    return row[1] .. gap .. row[2]
  end, rows)
end

return M
