--- Where the server is installed from, and the user's consent to exactly that.
local config = require('parrotlet.config')
local environment = require('parrotlet.install.environment')
local message = require('parrotlet.ui.message')
local origin = require('parrotlet.install.origin')

local M = {}

--- What is installed from a package index: the release that this plugin belongs to.
M.REQUIREMENT = 'parrotlet==0.2.0'

local MAX_PATH_COLUMNS = 40 -- in the list of choices
local SHORT_PATH_COLUMNS = 20 -- where SIZE_NOTE follows
local SIZE_NOTE = ' (several GB: :help parrotlet-cpu)'

---@class parrotlet.Source
---@field requirement string[] pip's arguments for it.
---@field environment string The folder of the environment.
---@field replaces boolean Whether an installed server of the same version is replaced.

--- Returns a note on the size of PyTorch, whose default build for Linux brings CUDA's libraries.
---@return string # Empty elsewhere, and where another index is set.
local function get_size_note()
  local is_large = vim.uv.os_uname().sysname == 'Linux' and config.options.extra_index_url == ''
  return is_large and SIZE_NOTE or ''
end

--- Shows what would be installed, and installs it if the user agrees.
---@param source parrotlet.Source
---@param label string
---@param install fun(source: parrotlet.Source)
---@param others? table<string, fun()> Further choices, by their labels.
local function confirm(source, label, install, others)
  local choices = vim.list_extend({ label }, vim.tbl_keys(others or {}))
  choices[#choices + 1] = 'Cancel'
  local target = message.shorten_path(source.environment, MAX_PATH_COLUMNS)
  local prompt = ('Install the server into %s'):format(target)
  vim.ui.select(choices, { prompt = prompt }, function(choice, number)
    if number == 1 then
      install(source)
    elseif others and others[choice] then
      others[choice]()
    end
  end)
end

--- Asks for consent to install a wheel file and the packages that it requires.
---@param path string As the user wrote it.
---@param install fun(source: parrotlet.Source)
function M.confirm_wheel(path, install)
  local full_path = vim.fs.abspath(vim.fs.normalize(path))
  if not full_path:find('%.whl$') or not vim.uv.fs_stat(full_path) then
    message.warn(("no wheel file '%s'; expected PATH.whl"):format(path))
    return
  end
  local label = 'Install ' .. message.shorten_path(full_path, MAX_PATH_COLUMNS) .. get_size_note()
  confirm({
    requirement = { full_path },
    environment = environment.get_own_folder(),
    replaces = true,
  }, label, install)
end

---@return string label
---@return parrotlet.Source
local function describe_index()
  local label = ('Run pip install %s'):format(M.REQUIREMENT)
  local index = config.options.extra_index_url
  if index ~= '' then
    label = ('%s --extra-index-url %s'):format(label, index)
  end
  local folder = environment.get_own_folder()
  local source = { requirement = { M.REQUIREMENT }, environment = folder, replaces = false }
  return label .. get_size_note(), source
end

---@param checkout string
---@return string label
---@return parrotlet.Source
local function describe_checkout(checkout)
  local requirement = { '--editable', checkout }
  local constraints = vim.fs.joinpath(checkout, 'constraints.txt')
  if vim.uv.fs_stat(constraints) then
    vim.list_extend(requirement, { '--constraint', constraints })
  end
  local note = get_size_note()
  local columns = note == '' and MAX_PATH_COLUMNS or SHORT_PATH_COLUMNS
  local label = 'Install from the checkout ' .. message.shorten_path(checkout, columns)
  local folder = vim.fs.joinpath(checkout, '.venv')
  return label .. note, { requirement = requirement, environment = folder, replaces = false }
end

--- Asks where to install from: the plugin's checkout, or the package index if there is none, or a
--- wheel file.
---@param install fun(source: parrotlet.Source)
function M.choose(install)
  local checkout = origin.find_checkout()
  local label, source
  if checkout then
    label, source = describe_checkout(checkout)
  else
    label, source = describe_index()
  end
  confirm(source, label, install, {
    ['Install from a wheel file…'] = function()
      vim.ui.input({ prompt = 'Wheel file: ', completion = 'file' }, function(path)
        if path and path ~= '' then
          M.confirm_wheel(path, install)
        end
      end)
    end,
  })
end

return M
