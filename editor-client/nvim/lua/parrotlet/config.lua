--- The plugin's options, checked.
---
--- It knows the client's own options only; their defaults are those that `parrotlet settings` lists
--- under `client`. What stands in `settings` belongs to the server, which owns every default there
--- and tells what is wrong with a value. Called by `parrotlet`; others read `options`.
local M = {}

---@class parrotlet.Keys Each a key for insert mode, or false for none.
---@field accept string|false Takes all that is shown.
---@field accept_word string|false Takes its next word.
---@field accept_line string|false Takes the rest of its line.
---@field next string|false Shows the next alternative.
---@field previous string|false Shows the one before.
---@field dismiss string|false Hides what is shown.
---@field suggest string|false Asks for a suggestion.

---@class parrotlet.Options
---@field enabled boolean Whether anything is suggested before it is switched on by hand.
---@field automatic boolean Whether to ask while you type; else only on demand.
---@field languages string[] The filetypes in which anything is suggested.
---@field server string[] The server's command; empty looks for it, see `parrotlet.server`.
---@field excluded_files string[] Globs of files in which nothing is suggested.
---@field keys parrotlet.Keys
---@field settings table<string, any> The server's own settings.

---@type parrotlet.Options
M.defaults = {
  enabled = true,
  automatic = true,
  languages = { 'python' },
  server = {},
  excluded_files = {},
  extra_index_url = '',
  keys = {
    accept = '<Tab>',
    accept_word = false,
    accept_line = false,
    next = false,
    previous = false,
    dismiss = false,
    suggest = false,
  },
  settings = {},
}

--- The options in force; nil before setup() and after a refused one.
---@type parrotlet.Options?
M.options = nil

local function is_boolean(value)
  return type(value) == 'boolean'
end

local function is_list_of_strings(value)
  return vim.islist(value)
    and vim.iter(value):all(function(item)
      return type(item) == 'string' and item ~= ''
    end)
end

local function is_table_by_name(value)
  return type(value) == 'table' and (next(value) == nil or not vim.islist(value))
end

local function is_key(value)
  return value == false or (type(value) == 'string' and value ~= '')
end

---@class parrotlet.Rule
---@field [1] fun(value: any): boolean
---@field [2] string What is wanted, with an example.

---@type table<string, parrotlet.Rule>
local rules = {
  enabled = { is_boolean, 'true or false' },
  automatic = { is_boolean, 'true or false' },
  languages = { is_list_of_strings, 'a list of filetypes, as in { "python" }' },
  server = { is_list_of_strings, 'a command as a list, as in { "parrotlet-server" }' },
  excluded_files = { is_list_of_strings, 'a list of globs, as in { "**/migrations/*.py" }' },
  keys = { is_table_by_name, 'a table of keys, as in { accept = "<Tab>" }' },
  settings = {
    is_table_by_name,
    'a table of the server\'s settings, as in { suggestion = { extent = "line" } }',
  },
}

--- Returns what is wrong with one table of values, in one sentence, if anything.
---@param given table
---@param rule_of fun(name: any): parrotlet.Rule?
---@param kind string What its entries are called.
---@param known string[]
---@return string?
local function complaint_about(given, rule_of, kind, known)
  for name, value in pairs(given) do
    local rule = rule_of(name)
    if not rule then
      table.sort(known)
      local list = table.concat(known, ', ')
      return ("there is no %s '%s'; wanted one of %s"):format(kind, name, list)
    end
    if not rule[1](value) then
      local found = vim.inspect(value)
      return ('the %s %s is %s, wanted %s'):format(kind, name, found, rule[2])
    end
  end
end

--- Lays what the user gave over the defaults.
---@param given? table
---@return parrotlet.Options?
---@return string? complaint What is wrong, in one sentence; then there are no options.
function M.resolve(given)
  if given ~= nil and type(given) ~= 'table' then
    return nil, ('setup() was given a %s, wanted a table of options'):format(type(given))
  end
  given = given or {}
  local complaint = complaint_about(given, function(name)
    return rules[name]
  end, 'option', vim.tbl_keys(rules)) or complaint_about(given.keys or {}, function(name)
    return M.defaults.keys[name] ~= nil and { is_key, 'a key, as in "<Tab>", or false' } or nil
  end, 'key', vim.tbl_keys(M.defaults.keys))
  if complaint then
    return nil, complaint
  end
  local options = vim.tbl_extend('force', vim.deepcopy(M.defaults), vim.deepcopy(given))
  options.keys = vim.tbl_extend('force', M.defaults.keys, given.keys or {})
  return options
end

return M
