--- The plugin's options, checked.
---
--- It knows the client's own options only. What stands in `settings` belongs to the server, which
--- owns every default and tells what is wrong with a value. Called by `parrotlet` alone.
local M = {}

---@class parrotlet.Options
---@field cmd? string[] The server's command; nil looks for it, see `parrotlet.server`.
---@field filetypes string[] In which files the server is asked.
---@field accept_key string|false The key that accepts what is shown; false maps none.
---@field settings table<string, any> Passed to the server as its initializationOptions.

---@type parrotlet.Options
M.defaults = {
  filetypes = { 'python' },
  accept_key = '<Tab>',
  settings = {},
}

local function is_list_of_strings(value)
  if not vim.islist(value) or #value == 0 then
    return false
  end
  return vim.iter(value):all(function(item)
    return type(item) == 'string'
  end)
end

local rules = {
  cmd = { is_list_of_strings, 'a list of strings, as in { "parrotlet-server" }' },
  filetypes = { is_list_of_strings, 'a list of strings, as in { "python" }' },
  accept_key = {
    function(value)
      return value == false or (type(value) == 'string' and value ~= '')
    end,
    'a key, as in "<Tab>", or false',
  },
  settings = {
    function(value)
      return type(value) == 'table' and (next(value) == nil or not vim.islist(value))
    end,
    'a table of the server\'s settings, as in { suggestion = { max_block_lines = 6 } }',
  },
}

--- Lays what the user gave over the defaults.
---@param given? table
---@return parrotlet.Options?
---@return string? complaint What is wrong, in one sentence; then there are no options.
function M.resolve(given)
  if given ~= nil and type(given) ~= 'table' then
    return nil, ('setup() was given a %s, wanted a table of options'):format(type(given))
  end
  for name, value in pairs(given or {}) do
    local rule = rules[name]
    if not rule then
      local known = vim.tbl_keys(rules)
      table.sort(known)
      local list = table.concat(known, ', ')
      return nil, ("there is no option '%s'; the options are %s"):format(name, list)
    end
    local is_right, wanted = rule[1], rule[2]
    if not is_right(value) then
      return nil, ('the option %s is %s, wanted %s'):format(name, vim.inspect(value), wanted)
    end
  end
  return vim.tbl_extend('force', M.defaults, given or {})
end

return M
