--- Reads pip's output: what it is doing, in readable words, and why it failed.
local M = {}

--- Returns the name of the package in a file name or URL, as pip prints it.
---@param file string
---@return string?
local function parse_package_name(file)
  local name = file:match('([^/]+)$'):match('^(.-)%-%d')
  return name and (name:gsub('_', '-'))
end

---@class parrotlet.PipStep
---@field is_installing boolean Whether the downloads are complete.
---@field text string

--- Returns the step that a line of output begins.
---@param line string
---@return parrotlet.PipStep? # nil for lines that begin none.
function M.parse_step(line)
  local text = vim.trim(line)
  local packages = text:match('^Installing collected packages: (.+)$')
  if packages then
    local count = #vim.split(packages, ',', { plain = true })
    local unit = count == 1 and 'package' or 'packages'
    return { is_installing = true, text = ('installing %d %s'):format(count, unit) }
  end
  local file, size = text:match('^Downloading (%S+) %(([^)]+)%)')
  if file and not file:find('%.metadata$') then
    local name = parse_package_name(file) or 'packages'
    return { is_installing = false, text = ('downloading %s (%s)'):format(name, size) }
  end
  local name = text:match('^Collecting ([%w._-]+)')
  if name then
    return { is_installing = false, text = 'resolving ' .. name }
  end
  if text:find('^Building ') or text:find('^Preparing ') or text:find('^Installing build') then
    return { is_installing = false, text = 'preparing the package' }
  end
end

--- Returns the most informative line about a failure; empty if there is no output.
---@param output string
---@return string
function M.find_error(output)
  local last_error, last
  for line in vim.gsplit(output, '\n', { plain = true, trimempty = true }) do
    local text = vim.trim(line)
    last_error = text:match('^ERROR: (.+)$') or text:match('^[Ee]rror: (.+)$') or last_error
    last = text ~= '' and text or last
  end
  return last_error or last or ''
end

return M
