--- Formats the server's reports, which are lists of a label and a text each.
local M = {}

--- Returns a line for each row, with the texts aligned in one column.
---@param report any A list of pairs.
---@return string[]
function M.format_rows(report)
  local rows = {}
  for _, row in ipairs(type(report) == 'table' and report or {}) do
    if type(row) == 'table' and type(row[1]) == 'string' and row[2] ~= nil then
      rows[#rows + 1] = { row[1], tostring(row[2]) }
    end
  end
  local width = 0
  for _, row in ipairs(rows) do
    width = math.max(width, vim.fn.strdisplaywidth(row[1]))
  end
  return vim.tbl_map(function(row)
    local padding = (' '):rep(width - vim.fn.strdisplaywidth(row[1]) + 2)
    return row[1] .. padding .. row[2]
  end, rows)
end

return M
